"""The runs that led to a run, as its script tells them: from the log. Knows nothing of the web or torch."""

from collections.abc import Callable

from livegrad.config import RunConfig
from livegrad.errors import Forbidden
from livegrad.export.script import Beginning, Chapter
from livegrad.store.entry import Entry
from livegrad.store.log import RunLog

Find = Callable[[str], Entry | None]


def lineage(log: RunLog, entry: Entry, find: Find) -> tuple[list[Chapter], Beginning | None]:
    """Return the chapters that lead to `entry`, oldest first; and the record they begin with, if not with a seed.

    `find(run)` returns a run that is still there. Raises Forbidden before the run's first record.
    """
    if entry.last_step < entry.first_step or not entry.columns:
        raise Forbidden(f"run {entry.id} is {entry.state}: it has no step yet")
    chapters = [_chapter(log, entry, entry.last_step)]
    while entry.parent is not None and entry.parent_step is not None:
        parent = find(entry.parent)
        if parent is None:
            return chapters, _beginning(log, entry)
        chapters.insert(0, _chapter(log, parent, entry.parent_step))
        entry = parent
    return chapters, None


def _chapter(log: RunLog, entry: Entry, last: int) -> Chapter:
    config = RunConfig.model_validate(entry.config)
    rates: dict[int, float] = {}
    rate = config.optimizer.lr
    for event in log.events(entry.id):
        if event["kind"] == "tune" and event["step"] < last and event["lr"] != rate:
            rate = rates[event["step"] + 1] = event["lr"]
    return Chapter(entry.id, config, entry.columns, entry.first_step, last, rates)


def _beginning(log: RunLog, entry: Entry) -> Beginning:
    frame = log.frame(entry.id, entry.first_step)
    if frame is None:
        raise Forbidden(f"run {entry.id} has lost its first step, and the run that it continues is deleted")
    return Beginning(entry.first_step, frame.payload, entry.columns)
