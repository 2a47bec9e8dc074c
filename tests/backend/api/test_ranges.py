"""Ranges of steps: those asked for that the run has, or why there are none."""

from typing import Any

import pytest

from livegrad.api.ranges import bounds, steps_there
from livegrad.errors import BadValue, UnknownThing
from livegrad.runs.run import LiveRun
from tests.backend.recorded import entry


def run(first: int, last: int) -> LiveRun:
    made = entry("a", "parent" if first else None, first or None)
    made.last_step = last
    return LiveRun(made, None)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((0, None), (10, 50)),
        ((20, 30), (20, 30)),
        ((5, 12), (10, 12)),
        ((50, 99), (50, 50)),
        ((10, 10), (10, 10)),
    ],
)
def test_a_range_is_cut_to_the_steps_that_the_run_has(asked: Any, found: Any) -> None:
    assert bounds(run(10, 50), *asked) == found


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(BadValue, match="from: expected at most to, 3, received 5"):
        bounds(run(0, 50), 5, 3)


@pytest.mark.parametrize("asked", [(51, None), (0, 9), (60, 70)])
def test_a_range_that_the_run_has_nothing_of_is_told_what_there_is(asked: Any) -> None:
    with pytest.raises(UnknownThing, match="there are steps 10 to 50"):
        bounds(run(10, 50), *asked)


def test_a_run_without_a_record_says_so() -> None:
    assert steps_there(run(0, -1)) == "no step has been recorded yet"
