"""Collects from the log the runs that led to a run, for its script.

Knows nothing of the web or torch.
"""

from collections.abc import Callable

from livegrad.config import RunConfig
from livegrad.errors import Forbidden
from livegrad.export.script import InitialState, Segment
from livegrad.store.entry import Entry
from livegrad.store.log import RunLog

Find = Callable[[str], Entry | None]


def lineage(log: RunLog, entry: Entry, find: Find) -> tuple[list[Segment], InitialState | None]:
    """Return the segments that lead to `entry`, oldest first, and the record they start from.

    The record is None if they start from a seed.

    `find(run)` returns a run that still exists. Raises Forbidden before the run's first record.
    """
    if entry.last_step < entry.first_step or not entry.columns:
        raise Forbidden(f"run {entry.id} is {entry.state}: it has no step yet")
    segments = [_segment(log, entry, entry.last_step)]
    while entry.parent is not None and entry.parent_step is not None:
        parent = find(entry.parent)
        if parent is None:
            return segments, _initial(log, entry)
        segments.insert(0, _segment(log, parent, entry.parent_step))
        entry = parent
    return segments, None


def _segment(log: RunLog, entry: Entry, last: int) -> Segment:
    config = RunConfig.model_validate(entry.config)
    rates: dict[int, float] = {}
    rate = config.optimizer.lr
    for event in log.events(entry.id):
        if event["kind"] == "tune" and event["step"] < last and event["lr"] != rate:
            rate = rates[event["step"] + 1] = event["lr"]
    return Segment(entry.id, config, entry.columns, entry.first_step, last, rates)


def _initial(log: RunLog, entry: Entry) -> InitialState:
    frame = log.frame(entry.id, entry.first_step)
    if frame is None:
        raise Forbidden(
            f"the first step of run {entry.id} was thinned out, and the run that it continues "
            "is deleted"
        )
    return InitialState(entry.first_step, frame.payload, entry.columns)
