"""The run log: append-only, epoch-checked, whole after a crash, and nobody else's file."""

import sqlite3
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from livegrad.config import RunConfig
from livegrad.errors import LogError, UnknownThing
from livegrad.lifecycle.states import State
from livegrad.protocol import RECORDS, Frame
from livegrad.store.entry import Entry
from livegrad.store.log import RunLog
from livegrad.store.writes import Append, Begin, Broken, Create, Delete, Item, Note


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
        RECORDS,
        count,
        first,
        epoch,
        0,
        1.5,
        struct.pack(f"<{count}f", *range(first, first + count)),
    )


def begun(log: RunLog, run: str = "a") -> str:
    log.apply([Create(entry(run)), Begin(run, "hash")])
    return run


def steps(log: RunLog, run: str, first: int, last: int) -> list[float]:
    payload = b"".join(f.payload for f in log.frames(run, first, last))
    return list(struct.unpack(f"<{len(payload) // 4}f", payload))


def test_what_was_appended_is_read_back_by_any_range(log: RunLog) -> None:
    run = begun(log)
    log.apply([Append.frames(run, 1, frame(0), frame(1, 7), frame(8, 100), frame(108))])
    for first, last in ((0, 108), (0, 0), (3, 3), (7, 8), (50, 107), (108, 500), (109, 200)):
        assert steps(log, run, first, last) == [float(s) for s in range(first, min(last, 108) + 1)]
    found = log.frame(run, 42)
    assert found is not None
    assert (found.first, found.count, found.epoch, found.time) == (42, 1, 1, 1.5)
    assert log.frame(run, 109) is None
    assert log.frame("b", 0) is None


def test_everything_is_there_after_opening_it_again(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    first = RunLog(path)
    for run in ("a", "b"):
        begun(first, run)
    tuned = Item(2, note=Note(4, State.RUNNING, lr=0.5))
    first.apply([Append("b", 1, (Item(1, frame(0, 5)), tuned))])
    before = first.runs(), steps(first, "b", 0, 9), first.events("b")
    first.close()
    second = RunLog(path)
    assert (second.runs(), steps(second, "b", 0, 9), second.events("b")) == before
    assert [found.id for found in second.runs()] == ["b", "a"]  # newest first
    assert second.runs()[0].last_step == 4
    second.close()


def test_the_tuning_in_force_is_the_newest_up_to_that_step(log: RunLog) -> None:
    begun(log)
    for step, lr, pace in ((3, 0.5, 7.0), (8, 0.1, None)):
        note = Note(step, State.RUNNING, lr=lr, pace=pace)
        log.apply([Append("a", 1, (Item(note=note),))])
    assert [log.tuning("a", step) for step in (0, 2, 3, 7, 8, 99)] == [
        (0.0005, 60), (0.0005, 60), (0.5, 7), (0.5, 7), (0.1, None), (0.1, None)
    ]  # fmt: skip
    with pytest.raises(UnknownThing):
        log.tuning("nobody", 0)


def test_a_deleted_run_takes_its_history_with_it(log: RunLog) -> None:
    begun(log, "a")
    begun(log, "b")
    tuned = Item(note=Note(0, State.RUNNING, lr=0.5))
    log.apply([Append("a", 1, (Item(frame=frame(0, 3)), tuned)), Append.frames("b", 1, frame(0))])
    assert len(log.events("a")) == 1
    log.apply([Delete("a")])
    assert [found.id for found in log.runs()] == ["b"]
    assert steps(log, "a", 0, 9) == []
    assert log.events("a") == []
    [again] = log.apply([Begin("a", "hash")])
    assert isinstance(again, Broken)
    assert isinstance(again.error, UnknownThing)


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


def test_a_file_that_is_no_database_is_refused_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    path.write_bytes(b"not a database, but long enough to be taken for one" * 20)
    with pytest.raises(LogError, match="is damaged"):
        RunLog(path)
