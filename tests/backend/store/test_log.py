"""The run log: append-only, epoch-checked, whole after a crash, and nobody else's file."""

import sqlite3
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livegrad.config import RunConfig
from livegrad.errors import LogError, UnknownThing
from livegrad.lifecycle import State
from livegrad.protocol import RECORDS, Frame
from livegrad.store.log import Batch, Entry, Event, RunLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    opened = RunLog(tmp_path / "log.sqlite3")
    yield opened
    opened.close()


def entry(run: str = "a") -> Entry:
    config = RunConfig().model_dump(mode="json")
    return Entry(
        id=run,
        name="n",
        config=config,
        created_at=time.time(),
        state=State.STARTING,
        reason=None,
        epoch=0,
        secret="",
        lr=0.001,
        pace=60,
        columns=(),
        data={},
        last_step=-1,
    )


def frame(first: int, count: int = 1, epoch: int = 1) -> Frame:
    return Frame(
        RECORDS, count, first, epoch, 0, 1.5, struct.pack(f"<{count}f", *range(first, first + count))
    )


def begun(log: RunLog, run: str = "a") -> str:
    log.create(entry(run))
    log.begin_epoch(run, "hash")
    return run


def steps(log: RunLog, run: str, first: int, last: int) -> list[float]:
    payload = b"".join(f.payload for f in log.frames(run, first, last))
    return list(struct.unpack(f"<{len(payload) // 4}f", payload))


def test_what_was_appended_is_read_back_by_any_range(log: RunLog) -> None:
    run = begun(log)
    log.append([Batch(run, 1, [frame(0), frame(1, 7), frame(8, 100), frame(108)])])
    for first, last in ((0, 108), (0, 0), (3, 3), (7, 8), (50, 107), (108, 500), (109, 200)):
        assert steps(log, run, first, last) == [float(s) for s in range(first, min(last, 108) + 1)]
    found = log.frame(run, 42)
    assert found is not None
    assert (found.first, found.count, found.epoch, found.time) == (42, 1, 1, 1.5)
    assert log.frame(run, 109) is None
    assert log.frame("b", 0) is None


def test_what_is_there_already_is_left_out(log: RunLog) -> None:
    run = begun(log)
    log.append([Batch(run, 1, [frame(0, 10)])])
    [appended] = log.append([Batch(run, 1, [frame(3, 4), frame(5, 10)])])
    assert not appended.refused
    assert [(f.first, f.count) for f in appended.frames] == [(10, 5)]
    assert appended.last_step == 14
    assert steps(log, run, 0, 99) == [float(s) for s in range(15)]


def test_a_gap_is_refused_and_nothing_of_it_is_kept(log: RunLog) -> None:
    run = begun(log)
    log.append([Batch(run, 1, [frame(0)])])
    [appended] = log.append([Batch(run, 1, [frame(1), frame(3)])])
    assert appended.refused
    assert appended.gap == "step 2 is missing before step 3"
    assert steps(log, run, 0, 9) == [0.0]


def test_an_older_epoch_is_refused_and_the_other_runs_of_the_batch_are_not(log: RunLog) -> None:
    begun(log, "a")
    begun(log, "b")
    assert log.begin_epoch("a", "newer") == 2
    old, other = log.append([Batch("a", 1, [frame(0)]), Batch("b", 1, [frame(0)])])
    assert old.refused
    assert not other.refused
    assert steps(log, "a", 0, 9) == []
    assert steps(log, "b", 0, 9) == [0.0]
    [new] = log.append([Batch("a", 2, [frame(0, epoch=2)])])
    assert not new.refused


def test_a_batch_that_fails_leaves_nothing_behind(log: RunLog) -> None:
    begun(log)
    bad = Batch("a", 1, [frame(0)], changes={"no_such_column": 1})
    with pytest.raises(LogError, match="no_such_column"):
        log.append([bad])
    assert steps(log, "a", 0, 9) == []
    [again] = log.append([Batch("a", 1, [frame(0)])])
    assert again.last_step == 0


def test_everything_is_there_after_opening_it_again(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    first = RunLog(path)
    for run in ("a", "b"):
        begun(first, run)
    first.append([Batch("b", 1, [frame(0, 5)], [Event(2, "tune", {"lr": 0.5, "pace": None})], {"lr": 0.5})])
    before = first.runs(), steps(first, "b", 0, 9), first.events("b")
    first.close()
    second = RunLog(path)
    assert (second.runs(), steps(second, "b", 0, 9), second.events("b")) == before
    assert [found.id for found in second.runs()] == ["b", "a"]  # newest first
    assert second.runs()[0].last_step == 4
    second.close()


def test_the_tuning_in_force_is_the_newest_up_to_that_step(log: RunLog) -> None:
    begun(log)
    tunings = [Event(3, "tune", {"lr": 0.5, "pace": 7}), Event(8, "tune", {"lr": 0.1, "pace": None})]
    log.append([Batch("a", 1, events=tunings)])
    assert [log.tuning("a", step) for step in (0, 2, 3, 7, 8, 99)] == [
        (0.001, 60), (0.001, 60), (0.5, 7), (0.5, 7), (0.1, None), (0.1, None)
    ]  # fmt: skip
    with pytest.raises(UnknownThing):
        log.tuning("nobody", 0)


def test_a_deleted_run_takes_its_history_with_it(log: RunLog) -> None:
    begun(log, "a")
    begun(log, "b")
    log.append([Batch("a", 1, [frame(0, 3)], [Event(0, "tune", {})]), Batch("b", 1, [frame(0)])])
    log.delete("a")
    assert [found.id for found in log.runs()] == ["b"]
    assert steps(log, "a", 0, 9) == []
    assert log.events("a") == []
    with pytest.raises(UnknownThing):
        log.begin_epoch("a", "hash")


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE recipes (name TEXT)")
    theirs.close()
    with pytest.raises(LogError, match="another program"):
        RunLog(path)


def test_a_newer_livegrads_log_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    RunLog(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(LogError, match="newer livegrad"):
        RunLog(path)


def test_what_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 20)
    with pytest.raises(LogError, match="is damaged"):
        RunLog(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=12))
def test_however_frames_are_sent_again_each_step_is_there_once_and_in_order(
    log: RunLog, sent: list[tuple[int, int]]
) -> None:
    log.delete("h")
    begun(log, "h")
    last = -1
    for first, count in sent:
        [appended] = log.append([Batch("h", 1, [frame(first, count)])])
        assert appended.refused == (first > last + 1)
        last = last if appended.refused else max(last, first + count - 1)
        assert appended.last_step == last
    assert steps(log, "h", 0, 99) == [float(step) for step in range(last + 1)]
