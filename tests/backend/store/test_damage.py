"""What is damaged of one run is said of that run.

The others are read, compacted and thinned as if nothing were.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from livegrad.errors import RunDamaged
from livegrad.store.compaction import compact
from livegrad.store.log import RunLog
from livegrad.store.retention import EXACT_STEPS, Retention
from livegrad.store.writes import Append, Delete
from tests.backend.recorded import begin, bytes_by_step, frame, opened, records, write

STEPS = 5000
NEWEST = {
    "cut": "UPDATE chunks SET payload = substr(payload, 4)"
    " WHERE run = 'a' AND first + count = 5000",
    "shorter": "UPDATE chunks SET count = count + 1 WHERE run = 'a' AND first + count = 5000",
    "missing": "DELETE FROM chunks WHERE run = 'a' AND first + count = 5000",
    "columns": "UPDATE runs SET columns = 'nonsense' WHERE id = 'a'",
    "columns of another kind": "UPDATE runs SET columns = '[{}]' WHERE id = 'a'",
    "config": "UPDATE runs SET config = '{' WHERE id = 'a'",
    "config of another kind": "UPDATE runs SET config = '[]' WHERE id = 'a'",
    "data": "UPDATE runs SET data = CAST(X'7B22FF223A317D' AS TEXT) WHERE id = 'a'",  # no UTF-8
    "state": "UPDATE runs SET state = 'asleep' WHERE id = 'a'",
}


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute(statement).rowcount > 0
        db.commit()


def append(log: RunLog, run: str, count: int) -> None:
    rows = records(count)
    for low in range(0, count, 80):
        log.apply([Append.frames(run, 1, frame(rows[low : low + 80], low))])


def finish(log: RunLog) -> None:
    for _ in range(1000):
        if not compact(log):
            return
    raise AssertionError("settling does not come to an end")


@pytest.mark.parametrize("kind", NEWEST)
def test_a_run_that_cannot_go_on_is_told_apart_at_opening_and_can_be_deleted(
    tmp_path: Path, kind: str
) -> None:
    with opened(tmp_path) as log:
        for run in ("a", "b"):
            begin(log, run)
            write(log, run, records(STEPS))
    execute(tmp_path / "livegrad.sqlite3", NEWEST[kind])
    with opened(tmp_path) as log:
        assert [entry.id for entry in log.runs()] == ["b"]
        [(run, reason)] = log.damaged_runs().items()
        assert run == "a"
        assert reason.startswith("run a is damaged in the run log (")
        assert "delete it" in reason
        assert len(bytes_by_step(log, "b", 0, STEPS)) == STEPS
        log.apply([Delete("a")])
        assert log.rows("SELECT DISTINCT run FROM chunks") == [("b",)]
    with opened(tmp_path) as log:
        assert log.damaged_runs() == {}


def test_reading_a_damaged_run_says_so(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", records(STEPS))
    execute(tmp_path / "livegrad.sqlite3", NEWEST["cut"])
    execute(tmp_path / "livegrad.sqlite3", "UPDATE runs SET config = '' WHERE id = 'a'")
    with opened(tmp_path) as log:
        with pytest.raises(RunDamaged, match="run a is damaged"):
            log.frame("a", STEPS - 1)
        with pytest.raises(RunDamaged, match="its configuration"):
            log.tuning("a", 0)
        assert log.frame("a", 0) is not None


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE chunks SET payload = substr(payload, 4) WHERE run = 'a' AND first = 480",
        "DELETE FROM chunks WHERE run = 'a' AND first = 320",
        "UPDATE chunks SET first = first + 1 WHERE run = 'a' AND first = 480",
        "UPDATE runs SET compacted = compacted + 3 WHERE id = 'a'",
    ],
)
def test_what_cannot_be_settled_keeps_no_other_run_from_it(tmp_path: Path, damage: str) -> None:
    with opened(tmp_path) as log:
        for run in ("a", "b"):
            begin(log, run)
            append(log, run, STEPS)
        log.run(damage)
        finish(log)
        assert set(log.damaged_runs()) == {"a"}
        assert log.history("b").compacted == STEPS // 256 * 256
        assert len(bytes_by_step(log, "b", 0, STEPS)) == STEPS


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE chunks SET payload = substr(payload, 4) WHERE run = 'a' AND first = 512",
        "UPDATE summaries SET payload = X'00' WHERE run = 'a'",
        "UPDATE runs SET columns = '[]' WHERE id = 'a'",
    ],
)
def test_what_cannot_be_thinned_keeps_no_other_run_from_it(tmp_path: Path, damage: str) -> None:
    with opened(tmp_path) as log:
        for run in ("a", "b"):
            begin(log, run)
            write(log, run, records(STEPS))
        log.run(damage)
        retention = Retention(log, 1)
        for _ in range(1000):
            if not retention.tidy():
                break
        else:
            raise AssertionError("thinning does not come to an end")
        assert set(log.damaged_runs()) == {"a"}
        *alone, newest = log.kept("b")
        assert all(first == last for first, last in alone)
        assert newest[1] - newest[0] <= EXACT_STEPS + 256
