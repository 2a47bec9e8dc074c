"""Ranges of steps in a query: from and to. Knows nothing of what the range is used for."""

from typing import Annotated

from fastapi import Query

from livegrad.errors import BadValue, UnknownThing
from livegrad.runs.run import LiveRun

From = Annotated[int, Query(alias="from", ge=0, le=2**53, description="First step.", examples=[0])]
To = Annotated[
    int | None,
    Query(
        alias="to",
        ge=0,
        le=2**53,
        description="Last step, included; by default the newest.",
        examples=[240],
    ),
]


def bounds(meeting: LiveRun, first: int, last: int | None) -> tuple[int, int]:
    """Return the first and the last step of the requested range that the run has.

    Raises BadValue or UnknownThing.
    """
    newest = meeting.entry.last_step
    end = newest if last is None else min(last, newest)
    if last is not None and first > last:
        raise BadValue(f"from: expected at most to, {last}, received {first}")
    if first > newest or end < meeting.entry.first_step:
        raise UnknownThing(f"there is no step {first}; {steps_there(meeting)}")
    return max(first, meeting.entry.first_step), end


def steps_there(meeting: LiveRun) -> str:
    """Return a text that says which steps the run has."""
    last = meeting.entry.last_step
    first = meeting.entry.first_step
    return (
        f"there are steps {first} to {last}" if last >= first else "no step has been recorded yet"
    )
