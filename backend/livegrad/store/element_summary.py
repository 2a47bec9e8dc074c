"""Summarizes blocks of steps for every single element of a parameter or gradient. PURE; no log.

A summary holds the same facts as `summary.summarize` does for scalars. Elements are many and
float32, so their summaries are stored separately and packed, with steps counted from the start of
the block. docs/decisions/0010 has the measurements.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from livegrad.protocol import Column
from livegrad.store.compression import pack, unpack_numbers
from livegrad.store.series import Rows, element_offset
from livegrad.store.summary import (
    FIELDS,
    HIGH,
    HIGH_STEP,
    LAST,
    LAST_STEP,
    LOW,
    LOW_STEP,
    NAN_STEP,
    Cells,
    folded,
    summed_up,
)

# Rows of the packed array; each column is an element. Every row except LOW differs little from the
# row before it.
_STEPS, _VALUES = [LOW_STEP, HIGH_STEP, NAN_STEP], [LOW, HIGH, LAST]
_ROWS = len(_STEPS) + len(_VALUES)
Summaries = Sequence[tuple[int, bytes]]  # each with the first step of its block


def _chosen(columns: Sequence[Column]) -> NDArray[np.intp]:
    spans = [
        np.arange(c.offset, c.offset + c.size)
        for c in columns
        if c.role in ("parameter", "gradient")
    ]
    return np.concatenate(spans) if spans else np.zeros(0, np.intp)


def element_place(name: str, columns: Sequence[Column]) -> int:
    """Return the index of the element `name` among the summarized elements. Raises UnknownThing."""
    offset = element_offset(name, columns)
    assert offset is not None  # every name that is neither a scalar nor a norm is an element
    return int(np.searchsorted(_chosen(columns), offset))


def summarize(rows: Rows, columns: Sequence[Column], first: int, block: int) -> bytes:
    """Return the summary of the block that begins at step `block`.

    `rows` are its records, shape (steps, floats); the first row is step `first`.
    """
    return _packed(summed_up(rows[:, _chosen(columns)], first), block)


def fold(summaries: Summaries, size: int, block: int) -> bytes:
    """Return the summaries of consecutive blocks as one.

    The blocks are `size` steps long; the result begins at step `block`.
    """
    return _packed(folded(unpacked(summaries, size, slice(None))), block)


def _packed(cells: Cells, block: int) -> bytes:
    steps = cells[:, _STEPS]
    steps = np.where(steps < 0, -1, steps - block).astype(np.int32)
    values = cells[:, _VALUES].astype(np.float32).view(np.int32)
    return pack(np.hstack([steps, values]).T.tobytes(), _ROWS)


def unpacked(summaries: Summaries, size: int, elements: slice) -> Cells:
    """Return the cells of some elements from summaries of blocks of `size` steps.

    Raises LogError.
    """
    bits = unpack_numbers([payload for _, payload in summaries], _ROWS, elements)
    blocks = np.array([first for first, _ in summaries])[:, None, None]
    cells = np.empty((*bits.shape[:2], FIELDS))
    steps = bits[:, :, : len(_STEPS)]
    cells[:, :, _STEPS] = np.where(steps < 0, -1, steps + blocks)
    cells[:, :, _VALUES] = np.ascontiguousarray(bits[:, :, len(_STEPS) :]).view(np.float32)
    cells[:, :, LAST_STEP] = blocks[:, :, 0] + size - 1
    return cells
