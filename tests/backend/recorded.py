"""Records made up for tests of the run log: any number of steps, without training.

Knows nothing of torch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livegrad.lifecycle.states import State
from livegrad.protocol import RECORDS, Frame, columns_of
from livegrad.store.compaction import compact
from livegrad.store.entry import Entry
from livegrad.store.log import RunLog
from livegrad.store.writes import Append, Create, Describe

COLUMNS = columns_of([("hidden_linear.weight", (3, 1)), ("output_linear.bias", (1,))], [])
FLOATS = sum(column.size for column in COLUMNS)
Rows = NDArray[np.float32]


def records(count: int, seed: int = 0) -> Rows:
    """Return `count` records that change as training does: little from step to step.

    Record 0 has no gradient.
    """
    random = np.random.default_rng(seed)
    rows = np.cumsum(random.normal(scale=1e-3, size=(count, FLOATS)), axis=0).astype(
        np.float32
    ) + np.float32(1)
    rows[0, [0, 1, *range(7, FLOATS)]] = np.nan
    return rows


def frame(rows: Rows, first: int, epoch: int = 1, time: float = 1.0) -> Frame:
    return Frame(RECORDS, len(rows), first, epoch, 0, time, rows.tobytes())


def entry(run: str, parent: str | None = None, step: int | None = None) -> Entry:
    config = {"optimizer": {"kind": "sgd", "lr": 0.1}, "pace": None}
    last = (step or 0) - 1
    return Entry(
        run, run, config, 1.0, State.PAUSED, None, 1, "", 0.1, None, (), {}, last, parent, step
    )


def begin(log: RunLog, run: str, parent: str | None = None, step: int | None = None) -> None:
    log.apply([Create(entry(run, parent, step)), Describe(run, 1, COLUMNS, "{}")])


def write(
    log: RunLog, run: str, rows: Rows, first: int = 0, at_once: int = 80, time: float = 1.0
) -> None:
    """Append the rows in frames of `at_once`, as a trainer at full speed does.

    Compact what is complete.
    """
    for low in range(0, len(rows), at_once):
        log.apply(
            [Append.frames(run, 1, frame(rows[low : low + at_once], first + low, 1, time + low))]
        )
    while compact(log):
        pass


def bytes_by_step(log: RunLog, run: str, first: int, last: int) -> dict[int, bytes]:
    """Return what the log has of these steps; each must come once, in order."""
    found: dict[int, bytes] = {}
    for part in log.frames(run, first, last):
        length = part.record_bytes
        for place in range(part.count):
            step = part.first + place
            assert not found or step > max(found)
            found[step] = part.payload[place * length : (place + 1) * length]
    return found


@contextmanager
def opened(folder: Path) -> Iterator[RunLog]:
    log = RunLog(folder / "livegrad.sqlite3")
    try:
        yield log
    finally:
        log.close()
