"""Summarizes blocks of steps per scalar and norm. PURE; no log.

A summary holds the lowest, the highest and the last value, and the first NaN.

A summary describes one block: for each series of `names` a cell of FIELDS doubles, in which each
value stands beside its step. Blocks are SIZES steps long; a larger one is folded from FOLD of the
next smaller size. The step −1 marks an absent value: a minimum where all values are NaN, or a NaN
where there is none.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from livegrad.protocol import Column
from livegrad.store.parameter_names import other_name
from livegrad.store.series import Rows, Steps, Values, reader

FIELDS = 7
LOW_STEP, LOW, HIGH_STEP, HIGH, LAST_STEP, LAST, NAN_STEP = range(FIELDS)
_PLACES = ((LOW_STEP, LOW), (HIGH_STEP, HIGH), (LAST_STEP, LAST), (NAN_STEP, None))
Cells = NDArray[np.float64]  # (blocks, series, FIELDS)


def names(columns: Sequence[Column]) -> list[str]:
    """Return the series in a summary: every scalar, and both norms of every parameter."""
    scalars = [column.name for column in columns if column.role == "scalar"]
    parameters = [column.name for column in columns if column.role == "parameter"]
    return scalars + [
        f"{kind}/{name}" for kind in ("gradient_norm", "parameter_norm") for name in parameters
    ]


def summary_place(name: str, columns: Sequence[Column]) -> int | None:
    """Return the index of the series `name` in a summary, or None if it has none.

    Numbered parameter names are accepted.
    """
    kind, slash, parameter = name.partition("/")
    known = names(columns)
    spellings = (name, kind + slash + other_name(parameter))
    return next((known.index(spelling) for spelling in spellings if spelling in known), None)


def summarize(rows: Rows, columns: Sequence[Column], first: int) -> bytes:
    """Return the summary of one block.

    `rows` are its records, shape (steps, floats), from step `first` on.
    """
    values = np.stack([reader(name, columns)(rows) for name in names(columns)], axis=1)
    return summed_up(values, first).tobytes()


def summed_up(values: Values | Rows, first: int) -> Cells:
    """Return a block's cells, shape (series, FIELDS), from values of shape (steps, series)."""
    absent = np.isnan(values)
    cells = np.full((values.shape[1], FIELDS), -1.0)
    for at_step, at_value, worst in ((LOW_STEP, LOW, np.inf), (HIGH_STEP, HIGH, -np.inf)):
        known = np.where(absent, worst, values)
        place = known.argmin(axis=0) if worst > 0 else known.argmax(axis=0)
        _put(cells, at_step, at_value, _not_absent(place, absent), values, first)
    cells[:, LAST_STEP], cells[:, LAST] = first + len(values) - 1, values[-1]
    cells[:, NAN_STEP] = np.where(absent.any(axis=0), first + absent.argmax(axis=0), -1)
    return cells


def _not_absent(place: NDArray[np.intp], absent: NDArray[np.bool_]) -> NDArray[np.intp]:
    # An infinity stands in for each NaN. Where the extreme is that same infinity, the stand-in may
    # have been found first.
    chosen = np.take_along_axis(absent, place[None], axis=0)[0]
    return np.where(chosen, (~absent).argmax(axis=0), place)


def _put(
    cells: Cells,
    at_step: int,
    at_value: int,
    place: NDArray[np.intp],
    values: Values | Rows,
    first: int,
) -> None:
    found = np.take_along_axis(values, place[None], axis=0)[0]
    cells[:, at_step] = np.where(np.isnan(found), -1, first + place)
    cells[:, at_value] = found


def read(payloads: Sequence[bytes], columns: Sequence[Column]) -> Cells:
    """Return the cells of consecutive blocks, shape (blocks, series, FIELDS)."""
    return np.frombuffer(b"".join(payloads)).reshape(-1, len(names(columns)), FIELDS)


def fold(payloads: Sequence[bytes], columns: Sequence[Column]) -> bytes:
    """Return the summary of several consecutive blocks as that of one block."""
    return folded(read(payloads, columns)).tobytes()


def folded(blocks: Cells) -> Cells:
    """Return the cells of consecutive blocks as those of one, shape (series, FIELDS)."""
    cells: Cells = blocks[-1].copy()
    lows = np.where(blocks[:, :, LOW_STEP] < 0, np.inf, blocks[:, :, LOW])
    highs = np.where(blocks[:, :, HIGH_STEP] < 0, -np.inf, blocks[:, :, HIGH])
    for fields, places, there in (
        (slice(LOW_STEP, LOW + 1), lows.argmin(axis=0), blocks[:, :, LOW_STEP] >= 0),
        (slice(HIGH_STEP, HIGH + 1), highs.argmax(axis=0), blocks[:, :, HIGH_STEP] >= 0),
        (slice(NAN_STEP, NAN_STEP + 1), None, blocks[:, :, NAN_STEP] >= 0),
    ):
        first = there.argmax(axis=0)
        block = (
            first
            if places is None
            else np.where(np.take_along_axis(there, places[None], 0)[0], places, first)
        )
        cells[:, fields] = blocks[block, np.arange(len(cells)), fields]
    return cells


def points(cells: Cells, series: int) -> tuple[Steps, Values]:
    """Return the steps and values of series number `series` in the blocks, in order of steps."""
    one = cells[:, series]
    absent = np.full(len(one), np.nan)
    steps = np.concatenate([one[:, step] for step, _ in _PLACES])
    values = np.concatenate([absent if value is None else one[:, value] for _, value in _PLACES])
    known = steps >= 0
    found, indices = np.unique(steps[known].astype(np.int64), return_index=True)
    return found, values[known][indices]


def spans(
    first: int, last: int, sizes: Sequence[int], first_step: int, compacted: int
) -> Iterator[tuple[int, int, int]]:
    """Yield consecutive parts (first step, last step, size), each covered by blocks of one size.

    A size of 1 means that no block covers the part. `sizes` lists the usable sizes in ascending
    order. No records exist before `first_step`, and no summaries from `compacted` on.
    """
    if first > last:
        return
    if not sizes:
        yield first, last, 1
        return
    *smaller, size = sizes
    begun = first if first > first_step else first // size * size
    low, high = -(-begun // size) * size, min(last + 1, compacted) // size * size
    if low >= high:
        yield from spans(first, last, smaller, first_step, compacted)
        return
    yield from spans(first, low - 1, smaller, first_step, compacted)
    yield low, high - 1, size
    yield from spans(high, last, smaller, first_step, compacted)
