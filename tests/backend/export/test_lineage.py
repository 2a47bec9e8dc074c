"""The runs that led to a run, read from a real log.

Oldest first, with what was tuned, or the record to begin with.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from livegrad.config import RunConfig
from livegrad.errors import Forbidden
from livegrad.export.lineage import lineage
from livegrad.export.script import InitialState, Segment
from livegrad.lifecycle.states import State
from livegrad.store.entry import Entry
from livegrad.store.log import RunLog
from livegrad.store.writes import Append, Create, Describe, Item, Note
from tests.backend.recorded import COLUMNS, frame, opened, records

CONFIG = RunConfig.model_validate({"optimizer": {"kind": "sgd", "lr": 0.5}})


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RunLog]:
    with opened(tmp_path) as log:
        yield log


def make(log: RunLog, run: str, last: int, parent: str | None = None, step: int = 0) -> None:
    config = CONFIG.model_dump(mode="json")
    at = None if parent is None else step
    begun = Entry(run, run, config, 1.0, State.PAUSED, None, 1, "", 0.5, None, (), {},
                  step - 1, parent, at)  # fmt: skip
    log.apply([Create(begun), Describe(run, 1, COLUMNS, "{}")])
    if last >= step:
        log.apply([Append.frames(run, 1, frame(records(last - step + 1), step))])


def tune(log: RunLog, run: str, number: int, step: int, lr: float) -> None:
    note = Note(step, State.PAUSED, None, None, lr, None)
    log.apply([Append(run, 1, (Item(number, None, note),))])


Found = tuple[list[Segment], InitialState | None]


def led_to(log: RunLog, run: str, gone: str = "") -> Found:
    entries = {entry.id: entry for entry in log.runs()}
    return lineage(log, entries[run], lambda name: entries.get(name) if name != gone else None)


def stretches(segments: list[Segment]) -> list[tuple[str, int, int]]:
    return [(each.run, each.after, each.last) for each in segments]


def test_a_run_of_its_own_is_one_segment(log: RunLog) -> None:
    make(log, "a", 20)
    segments, initial = led_to(log, "a")
    assert (stretches(segments), initial) == ([("a", 0, 20)], None)
    assert (segments[0].config, segments[0].rates) == (CONFIG, {})


def test_each_run_that_was_continued_comes_before_the_one_that_continues_it(log: RunLog) -> None:
    make(log, "a", 20)
    make(log, "b", 30, "a", 10)
    make(log, "c", 40, "b", 25)
    segments, initial = led_to(log, "c")
    assert stretches(segments) == [("a", 0, 10), ("b", 10, 25), ("c", 25, 40)]
    assert initial is None


def test_where_an_ancestor_is_deleted_it_begins_with_the_record_that_it_began_with(
    log: RunLog,
) -> None:
    make(log, "a", 20)
    make(log, "b", 30, "a", 10)
    segments, initial = led_to(log, "b", gone="a")
    assert stretches(segments) == [("b", 10, 30)]
    [first] = log.frames("b", 10, 10)
    assert initial == InitialState(10, first.payload, COLUMNS)


def test_a_learning_rate_that_was_tuned_holds_from_the_next_step_on(log: RunLog) -> None:
    make(log, "a", 20)
    for number, (step, lr) in enumerate([(5, 0.25), (9, 0.25), (12, 0.125), (20, 0.5)]):
        tune(log, "a", 1 + number, step, lr)
    [segment], _ = led_to(log, "a")
    assert segment.rates == {6: 0.25, 13: 0.125}  # the last one has trained no step yet


def test_a_run_without_a_record_has_no_script_yet(log: RunLog) -> None:
    make(log, "a", -1)
    with pytest.raises(Forbidden, match="run a is paused: it has no step yet"):
        led_to(log, "a")
