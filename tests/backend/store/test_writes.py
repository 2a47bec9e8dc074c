"""What is written to a run.

Each message once, in order, by the newest trainer alone, all or nothing.
"""

import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.config import RunConfig
from livegrad.errors import UnknownThing
from livegrad.lifecycle.states import State
from livegrad.protocol import RECORDS, Frame
from livegrad.store.entry import Entry
from livegrad.store.log import RunLog
from livegrad.store.writes import (
    Append,
    Appended,
    Begin,
    Broken,
    Create,
    Delete,
    End,
    Item,
    Note,
    Result,
    Standing,
)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    opened = RunLog(tmp_path / "log.sqlite3")
    yield opened
    opened.close()


def entry(run: str = "a") -> Entry:
    config = RunConfig().model_dump(mode="json")
    return Entry(run, "n", config, time.time(), State.STARTING, None, 0, "", 0.5, 60.0, (), {}, -1)


def begin(log: RunLog, run: str = "a") -> None:
    log.apply([Create(entry(run)), Begin(run, "hash")])


def frame(first: int, count: int = 1, epoch: int = 1) -> Frame:
    payload = struct.pack(f"<{count}f", *range(first, first + count))
    return Frame(RECORDS, count, first, epoch, 0, 1.5, payload)


def append(log: RunLog, *items: Item, epoch: int = 1, run: str = "a") -> Appended:
    return appended(log.apply([Append(run, epoch, items)])[0])


def appended(result: Result) -> Appended:
    assert isinstance(result, Appended), result
    return result


def note(step: int, lr: float = 0.5, goal: int | None = None) -> Note:
    return Note(step, State.RUNNING, lr=lr, pace=60.0, goal=goal)


def steps(log: RunLog, run: str = "a") -> list[float]:
    payload = b"".join(part.payload for part in log.frames(run, 0, 10_000))
    return list(struct.unpack(f"<{len(payload) // 4}f", payload))


def test_records_that_come_again_are_left_out(log: RunLog) -> None:
    begin(log)
    append(log, Item(frame=frame(0, 10)))
    again = append(log, Item(frame=frame(3, 4)), Item(frame=frame(5, 10)))
    assert [
        taken and taken.frame and (taken.frame.first, taken.frame.count) for taken in again.taken
    ] == [
        None,
        (10, 5),
    ]
    assert again.last_step == 14
    assert steps(log) == [float(step) for step in range(15)]


def test_messages_that_come_again_are_left_out_with_what_they_would_do(log: RunLog) -> None:
    begin(log)
    sent = (Item(1, frame(0)), Item(2, note=note(0, lr=0.1)), Item(3, note=note(0, lr=0.5)))
    append(log, *sent)
    again = append(log, *sent[1:], Item(4, frame(1)))
    assert [taken is not None for taken in again.taken] == [False, False, True]
    assert (again.seq, again.last_step) == (4, 1)
    assert [event["lr"] for event in log.events("a")] == [0.1, 0.5]


@pytest.mark.parametrize(
    ("item", "missing"),
    [
        (Item(2, frame(1)), "message 1 is missing before message 2"),
        (Item(1, frame(3)), "step 2 is missing"),
    ],
)
def test_nothing_is_stored_from_a_gap_on(log: RunLog, item: Item, missing: str) -> None:
    begin(log)
    result = append(log, Item(frame=frame(0, 2)), item, Item(1, frame(2)))
    assert result.gap is not None
    assert missing in result.gap
    assert [taken is not None for taken in result.taken] == [True, False, False]
    assert steps(log) == [0.0, 1.0]


def test_an_older_trainer_is_refused_and_the_other_runs_are_not(log: RunLog) -> None:
    begin(log, "a")
    begin(log, "b")
    begun, late, other = log.apply(
        [Begin("a", "newer"), Append.frames("a", 1, frame(0)), Append.frames("b", 1, frame(0))]
    )
    assert isinstance(begun, Standing)
    assert begun.epoch == 2
    assert appended(late).is_stale
    assert not appended(other).is_stale
    assert steps(log, "a") == []
    assert not append(log, Item(1, frame(0, epoch=2)), epoch=2).is_stale


def test_a_trainer_that_is_begun_finds_what_the_one_before_it_left_and_counts_anew(
    log: RunLog,
) -> None:
    begin(log)
    append(log, Item(1, frame(0, 5)), Item(2, note=note(4, lr=0.25, goal=9)))
    [begun] = log.apply([Begin("a", "newer")])
    assert begun == Standing("a", State.RUNNING, None, 2, 0, 4, 9, 0.25, 60.0)


def test_an_interrupted_run_that_is_begun_is_starting(log: RunLog) -> None:
    begin(log)
    log.apply([End("a", 1, State.INTERRUPTED, "the server was stopped")])
    [begun] = log.apply([Begin("a", "newer")])
    assert isinstance(begun, Standing)
    assert (begun.state, begun.reason) == (State.STARTING, None)


@pytest.mark.parametrize("final", [State.FINISHED, State.FAILED])
def test_a_final_state_stays(log: RunLog, final: State) -> None:
    begin(log)
    append(log, Item(1, note=Note(0, final, "its reason")))
    append(log, Item(2, note=note(0)))
    [ended] = log.apply([End("a", 1, State.INTERRUPTED, "killed")])
    assert isinstance(ended, Standing)
    assert (ended.state, ended.reason) == (final, "its reason")


@pytest.mark.parametrize("final", [State.FINISHED, State.FAILED])
def test_there_is_no_step_after_the_end(log: RunLog, final: State) -> None:
    begin(log)
    result = append(log, Item(1, frame(0)), Item(2, note=Note(0, final)), Item(3, frame(1)))
    assert result.gap == f"the run is {final}: there is no step after 0"
    assert steps(log) == [0.0]


def test_the_end_of_an_older_trainer_changes_nothing(log: RunLog) -> None:
    begin(log)
    [_, ended] = log.apply([Begin("a", "newer"), End("a", 1, State.FAILED, "late")])
    assert isinstance(ended, Standing)
    assert (ended.state, ended.reason) == (State.STARTING, None)


def test_what_breaks_one_write_is_undone_and_breaks_no_other(log: RunLog) -> None:
    begin(log, "a")
    begin(log, "b")
    no_bytes: Any = object()  # what no database takes
    bad = Frame(RECORDS, 3, 1, 1, 0, 1.5, no_bytes)
    broken, whole = log.apply(
        [Append("a", 1, (Item(1, frame(0)), Item(2, bad))), Append.frames("b", 1, frame(0))]
    )
    assert isinstance(broken, Broken)
    assert (broken.run, steps(log, "a")) == ("a", [])
    assert appended(whole).last_step == 0
    assert steps(log, "b") == [0.0]


def test_a_run_that_is_gone_takes_nothing_and_begins_nothing(log: RunLog) -> None:
    begin(log)
    _, late, begun, ended = log.apply(
        [
            Delete("a"),
            Append.frames("a", 1, frame(0)),
            Begin("a", "x"),
            End("a", 1, State.FAILED, ""),
        ]
    )
    assert appended(late).is_stale
    for result in (begun, ended):
        assert isinstance(result, Broken)
        assert isinstance(result.error, UnknownThing)
    assert log.runs() == []


SENDINGS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(SENDINGS)
def test_however_messages_are_sent_again_each_is_logged_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, sendings: list[tuple[int, int]]
) -> None:
    log = RunLog(tmp_path_factory.mktemp("log") / "log.sqlite3")
    begin(log)
    newest = 0
    for first, count in sendings:  # message n is the record of step n - 1
        items = [Item(number, frame(number - 1)) for number in range(first, first + count)]
        result = append(log, *items)
        is_gap = first > newest + 1
        assert (result.gap is not None) == is_gap
        newest = newest if is_gap else max(newest, first + count - 1)
        assert (result.seq, result.last_step) == (newest, newest - 1)
    assert steps(log) == [float(step) for step in range(newest)]
    log.close()
