"""500 faults with a fixed seed against a real server; and that the checks behind them can fail."""

import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.faults.kind import KINDS
from tests.faults.runner import run
from tests.faults.schedule import schedule
from tests.faults.watched_run import Tuned, WatchedRun, payload_of, seen_otherwise, tuned_otherwise
from tests.viewer import RECORDS, Seen

SEED = 7
FAULTS = int(os.environ.get("LIVEGRAD_FAULT_COUNT", "500"))
MINUTES = 30.0  # a bound for a slow machine; two cores take about three
WEIGHTS = {name: kind.weight for name, kind in KINDS.items()}
SIZE = 16  # bytes of the records below: loss, validation loss, lr, one parameter


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux", reason="it finds and stops processes through Linux' /proc"
)
def test_no_fault_of_the_surroundings_loses_doubles_or_changes_a_step_or_ends_a_run(
    tmp_path: Path,
) -> None:
    report = run(SEED, FAULTS, MINUTES, tmp_path)
    print(report.table())
    assert not report.violations, report.table()
    assert report.index == FAULTS - 1
    assert report.runs > 6
    assert report.steps > 1000
    assert report.frames > 100


def test_a_seed_gives_the_same_faults_each_time_and_another_seed_others() -> None:
    assert list(schedule(1, 300, WEIGHTS)) == list(schedule(1, 300, WEIGHTS))
    assert list(schedule(1, 300, WEIGHTS)) != list(schedule(2, 300, WEIGHTS))


def test_every_kind_comes_by_its_weight_in_each_pass() -> None:
    assert len(WEIGHTS) >= 20
    deck = sum(WEIGHTS.values())
    assert Counter(fault.kind for fault in schedule(3, 2 * deck, WEIGHTS)) == {
        name: 2 * weight for name, weight in WEIGHTS.items()
    }


def test_every_kind_says_in_one_line_what_it_is() -> None:
    assert all(kind.about.endswith(".") and "\n" not in kind.about for kind in KINDS.values())


# -- what the checks find


def records(*rates: float) -> bytes:
    return b"".join(np.array([1, 1, rate, 5], np.float32).tobytes() for rate in rates)


def frame(first: int, payload: bytes) -> Seen:
    return Seen(RECORDS, len(payload) // SIZE, first, 1, 0, 0.0, payload)


def watched_run(*tunes: Tuned) -> WatchedRun:
    return WatchedRun("1", "sgd", {"optimizer": {"lr": 0.1}}, tunes=list(tunes))


def test_stored_frames_that_follow_each_other_are_joined() -> None:
    assert payload_of(watched_run(), [frame(0, records(1, 1)), frame(2, records(1))]) == records(
        1, 1, 1
    )


@pytest.mark.parametrize(
    ("first", "said"), [(3, "step 2 is missing"), (1, "step 1 is there twice")]
)
def test_a_step_that_is_missing_or_doubled_is_found(first: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        payload_of(watched_run(), [frame(0, records(1, 1)), frame(first, records(1))])


def test_a_step_that_a_viewer_saw_otherwise_or_that_is_not_stored_is_found() -> None:
    watched = watched_run()
    watched.see(frame(1, records(1)))
    assert seen_otherwise(watched, records(1, 1), SIZE) == ""
    assert "other bytes" in seen_otherwise(watched, records(1, 2), SIZE)
    assert "stored are 0 to 0" in seen_otherwise(watched, records(1), SIZE)


def test_a_tuning_that_was_answered_and_does_not_stand_in_the_next_record_is_found() -> None:
    stored = records(0.1, 0.1, 0.1, 0.2)
    assert tuned_otherwise(watched_run(Tuned(0.2, 2)), stored, SIZE) == []
    [said] = tuned_otherwise(watched_run(Tuned(0.2, 1)), stored, SIZE)
    assert "answered at step 1, record 2 has 0.1" in said


def test_a_later_tuning_at_the_same_step_or_one_without_an_answer_explains_a_rate() -> None:
    stored = records(0.1, 0.1, 0.3)
    assert tuned_otherwise(watched_run(Tuned(0.2, 1), Tuned(0.3, 1)), stored, SIZE) == []
    assert tuned_otherwise(watched_run(Tuned(0.2, 1), Tuned(0.3)), stored, SIZE) == []
    assert tuned_otherwise(watched_run(Tuned(0.2, 1), Tuned(0.3, is_refused=True)), stored, SIZE)


def test_a_record_that_plain_pytorch_does_not_come_to_is_found() -> None:
    from tests.faults.reference import Claim, compare
    from tests.plain import Plain

    points = {"x": [0.0, 1.0, 2.0, 3.0], "y": [0.0, 1.0, 4.0, 9.0]}
    dataset = {"x": {"scale": 1.0}, "y": {"scale": 1.0}, "points": points}
    asked = {"hidden": 2, "optimizer": {"kind": "sgd", "lr": 0.01}}
    plain = Plain(asked, dataset)
    places = [(place, array.size) for place, array in plain.held().items()]
    columns = [{"role": r, "name": n, "slot": s, "shape": [size]} for (r, n, s), size in places]
    payload = plain.record(columns)
    for step in range(1, 6):
        plain.iterate()
        payload += plain.record(columns)
        if step == 3:
            plain.optimizer.param_groups[0]["lr"] = 0.02
    claim = Claim("1", asked, dataset, columns, [(0, 0.01), (3, 0.02)], 0, payload)
    assert compare(claim) == ""
    untold = Claim("1", asked, dataset, columns, [(0, 0.01)], 0, payload)
    assert "2 of 6 records differ from plain PyTorch's, the first is 4" in compare(untold)
