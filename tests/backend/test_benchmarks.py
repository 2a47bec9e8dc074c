"""The benchmarks' one command: the table and the JSON that it makes. Says nothing about speed."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.restart import Sight, first_new
from benchmarks.sampling import median_ratio, percentile
from benchmarks.table import Row


def test_one_quick_subject_gives_a_table_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    assert main(["--quick", "--only", "page", "--json", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| what | measured | target | verdict | note |"
    assert lines[2].startswith("| bytes that the page loads | ")
    report = json.loads(file.read_text(encoding="utf-8"))
    assert {"at", "cores", "python", "torch", "load_before", "load_after"} <= set(report["machine"])
    [row] = report["rows"]
    assert row["subject"] == "page"
    assert row["value"] > 0
    assert row["unit"] == "KB"
    assert row["verdict"] in ("reached", "missed")


@pytest.mark.parametrize(
    ("value", "reach", "at_least", "verdict"),
    [
        (1.1, 1.1, False, "reached"),
        (1.2, 1.1, False, "missed"),
        (0.8, 0.8, True, "reached"),
        (0.7, 0.8, True, "missed"),
        (7.0, None, False, "beside"),
        (None, 1.1, False, "not measured"),
    ],
)
def test_a_row_says_whether_its_bound_is_kept(
    value: float | None, reach: float | None, at_least: bool, verdict: str
) -> None:
    assert Row("subject", "what", value, "×", reach, at_least).verdict == verdict


def test_a_percentile_is_one_of_the_samples() -> None:
    samples = [float(number) for number in range(200, 0, -1)]
    assert (percentile(samples, 50), percentile(samples, 99), percentile([3.0], 99)) == (
        100.0,
        198.0,
        3.0,
    )


def test_a_ratio_is_the_median_over_pairs_so_that_one_slow_moment_does_not_count() -> None:
    assert median_ratio([(1.1, 1.0), (2.2, 2.0), (9.0, 1.0)]) == pytest.approx(1.1)


def test_a_step_is_new_from_another_trainer_or_behind_what_a_connection_begins_with() -> None:
    before, late = Sight(1.0, connection=1, epoch=1), Sight(2.0, connection=1, epoch=1)
    kept, new = Sight(3.0, connection=2, epoch=1), Sight(4.0, connection=2, epoch=1)
    assert first_new([late, kept, new], before) is new
    replaced = Sight(5.0, connection=1, epoch=2)
    assert first_new([late, replaced], before) is replaced
