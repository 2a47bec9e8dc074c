"""Finds the step at which two runs part, and by how much.

PURE: compares stored records; no log, no web.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livegrad.protocol import Column, Frame, plain_number

Rows = NDArray[np.float32]
Part = tuple[int, Rows]  # the step of the first row, and the rows of consecutive steps


@dataclass(frozen=True, slots=True)
class Side:
    """One run's records of the steps to compare, in order, and their columns."""

    columns: Sequence[Column]
    frames: Iterable[Frame]


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first step whose parameters differ in any bit, if any, and the largest difference."""

    step: int | None
    parameter: str | None
    difference: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the divergence as documented JSON."""
        difference = None if self.difference is None else plain_number(self.difference)
        return {"step": self.step, "parameter": self.parameter, "difference": difference}


def find_divergence(one: Side, other: Side) -> Divergence | None:
    """Return where two runs part, or None if they cannot be compared.

    Parameters are compared bit by bit at the steps that both runs have. Runs whose parameters
    differ in shape cannot be compared. Both are read in bounded memory.
    """
    mine, theirs = _parameters(one.columns), _parameters(other.columns)
    if [c.shape for c in mine] != [c.shape for c in theirs]:
        return None
    for start, a, b in _aligned(_rows(one, mine), _rows(other, theirs)):
        unequal = (a.view(np.uint32) != b.view(np.uint32)).any(axis=1)
        if unequal.any():
            row = int(unequal.argmax())
            return _divergence_at(mine, a[row], b[row], start + row)
    return Divergence(None, None, None)


def _parameters(columns: Sequence[Column]) -> list[Column]:
    return [column for column in columns if column.role == "parameter"]


def _rows(side: Side, parameters: Sequence[Column]) -> Iterator[Part]:
    floats = sum(column.size for column in side.columns)
    low = parameters[0].offset
    high = parameters[-1].offset + parameters[-1].size
    for frame in side.frames:
        rows = np.frombuffer(frame.payload, np.float32).reshape(-1, floats)[:, low:high]
        yield frame.first, np.ascontiguousarray(rows)


def _aligned(ones: Iterator[Part], others: Iterator[Part]) -> Iterator[tuple[int, Rows, Rows]]:
    # Yields the steps that both runs have, in parts without a gap. Other steps were thinned out in
    # one of them.
    a, b = next(ones, None), next(others, None)
    while a is not None and b is not None:
        first, end = max(a[0], b[0]), min(a[0] + len(a[1]), b[0] + len(b[1]))
        if first < end:
            yield first, a[1][first - a[0] : end - a[0]], b[1][first - b[0] : end - b[0]]
        a, b = _rest_from(a, end) or next(ones, None), _rest_from(b, end) or next(others, None)


def _rest_from(part: Part, end: int) -> Part | None:
    # Returns the rest of the part from step `end` on.
    drop = max(0, end - part[0])
    return (part[0] + drop, part[1][drop:]) if drop < len(part[1]) else None


def _divergence_at(parameters: Sequence[Column], a: Rows, b: Rows, step: int) -> Divergence:
    difference = np.abs(a.astype(np.float64) - b.astype(np.float64))
    place = int(np.nanargmax(difference)) if not np.isnan(difference).all() else 0
    offset = place + parameters[0].offset
    column = next(c for c in parameters if c.offset <= offset < c.offset + c.size)
    index = np.unravel_index(offset - column.offset, column.shape)
    name = f"{column.name}[{', '.join(str(int(i)) for i in index)}]"
    return Divergence(step, name, float(difference[place]))
