"""Series out of summaries are made of true points and keep every extreme; short ones are exact."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from livegrad.errors import BadValue
from livegrad.protocol import Frame
from livegrad.store.curves import curves
from livegrad.store.log import RunLog
from livegrad.store.retention import Retention
from livegrad.store.series import reader
from tests.backend.recorded import COLUMNS, begin, opened, records, write

ELEMENTS = ["hidden_linear.weight[1, 0]", "output_linear.bias.grad[0]", "0.weight.grad[2, 0]"]
NAMES = [
    "loss",
    "gradient_norm/hidden_linear.weight",
    "parameter_norm/output_linear.bias",
    *ELEMENTS,
]


@pytest.fixture(scope="module")
def rows() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    made = records(70_000)
    made[41_234, 0], made[52_345, 0] = 1e6, -1e6
    made[60_000, 0] = np.nan
    made[44_444, 4], made[45_555, 10], made[46_666, 9] = 1e5, -np.inf, np.nan
    return made


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> Path:
    made = tmp_path_factory.mktemp("curves")
    with opened(made) as log:
        begin(log, "a")
        write(log, "a", rows, at_once=1000)
    return made


@pytest.mark.parametrize(
    ("first", "last", "limit"), [(0, 69_999, 1000), (3, 69_990, 20_000), (100, 69_000, 50)]
)
def test_a_long_series_has_true_points_and_every_extreme(
    folder: Path,
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    first: int,
    last: int,
    limit: int,
) -> None:
    with opened(folder) as log:
        for one in curves(log.history("a"), COLUMNS, NAMES, first, last, limit):
            whole = reader(one["name"], COLUMNS)(rows)
            steps = np.array(one["steps"])
            assert np.array_equal(np.array(one["values"], float), whole[steps], equal_nan=True)
            assert (np.diff(steps) > 0).all()
            assert first <= steps[0]
            assert steps[-1] == last
            part = whole[first : last + 1]
            assert {first + int(np.nanargmin(part)), first + int(np.nanargmax(part))} <= set(
                one["steps"]
            )
            assert len(steps) <= 1.6 * limit + 10
        assert 60_000 in curves(log.history("a"), COLUMNS, ["loss"], first, last, limit)[0]["steps"]
        assert (
            46_666
            in curves(log.history("a"), COLUMNS, ELEMENTS[2:], first, last, limit)[0]["steps"]
        )


@pytest.mark.parametrize(
    "missing", ["first >= 0", "size = 4096", "first < 30000", "first % 512 = 0"]
)
def test_blocks_settled_before_there_were_digests_of_elements_are_read_from_their_records(
    folder: Path,
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    tmp_path: Path,
    missing: str,
) -> None:
    shutil.copytree(folder, tmp_path / "a")
    with opened(tmp_path / "a") as log:
        log.run(f"DELETE FROM element_summaries WHERE {missing}")
        for one in curves(log.history("a"), COLUMNS, ELEMENTS, 3, 69_999, 100):
            whole, steps = reader(one["name"], COLUMNS)(rows), np.array(one["steps"])
            assert np.array_equal(np.array(one["values"], float), whole[steps], equal_nan=True)
            extremes = {3 + int(np.nanargmin(whole[3:])), 3 + int(np.nanargmax(whole[3:])), 69_999}
            assert extremes <= set(one["steps"])


def test_a_run_without_digests_of_elements_has_them_from_then_on(tmp_path: Path) -> None:
    rows = records(12_000)
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", rows[:5000])
        log.run("DELETE FROM element_summaries")
    with opened(tmp_path) as log:
        write(log, "a", rows[5000:], first=5000)
        assert [first for first, _ in log.history("a").element_summaries(4096, 0, 12_000)] == []
        assert [first for first, _ in log.history("a").element_summaries(256, 0, 12_000)] == [
            *range(4864, 11_776, 256)
        ]
        [one] = curves(log.history("a"), COLUMNS, ELEMENTS[:1], 0, 11_999, 100)
        assert np.array_equal(one["values"], rows[one["steps"], 4].astype(float))
        assert {int(rows[:, 4].argmin()), int(rows[:, 4].argmax()), 11_999} <= set(one["steps"])


def test_a_long_series_of_an_element_reads_few_records(folder: Path) -> None:
    with opened(folder) as log:
        read: list[tuple[int, int]] = []
        frames = RunLog.frames

        class Watched(RunLog):
            def frames(self, run: str, first: int, last: int) -> Iterator[Frame]:
                read.append((first, last))
                return frames(self, run, first, last)

        log.__class__ = Watched
        curves(log.history("a"), COLUMNS, ELEMENTS, 0, 69_999, 1000)
        assert sum(last - first + 1 for first, last in read) < 512


def test_a_short_series_is_exact(
    folder: Path, rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> None:
    with opened(folder) as log:
        name = "hidden_linear.weight[1, 0]"
        for one in curves(log.history("a"), COLUMNS, [*NAMES, name], 41_000, 41_499, 1000):
            assert one["steps"] == list(range(41_000, 41_500))
            assert np.array_equal(one["values"], reader(one["name"], COLUMNS)(rows)[41_000:41_500])


def test_thinned_steps_leave_their_extremes(tmp_path: Path) -> None:
    rows = records(8000)
    rows[1234, 0] = 1e6
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", rows)
        retention = Retention(log, 1)
        while retention.tidy():
            pass
        assert log.frame("a", 1234) is None
        [loss] = curves(log.history("a"), COLUMNS, ["loss"], 1100, 1300, 1000)
        assert 1234 in loss["steps"]
        assert np.array_equal(loss["values"], rows[loss["steps"], 0].astype(float))
        [whole] = curves(log.history("a"), COLUMNS, ["hidden_linear.weight[0, 0]"], 0, 7999, 100)
        assert whole["steps"][-1] == 7999
        assert {int(rows[:, 3].argmin()), int(rows[:, 3].argmax())} <= set(whole["steps"])


@pytest.mark.parametrize("limit", [1, 20_001])
def test_limits_are_told(folder: Path, limit: int) -> None:
    with opened(folder) as log, pytest.raises(BadValue, match="2 to 20000"):
        curves(log.history("a"), COLUMNS, ["loss"], 0, 10, limit)
