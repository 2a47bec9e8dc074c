"""At which step two runs part, and by how much. PURE: compares stored records; no log, no web."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livegrad.protocol import Column, Frame, plain_number

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Side:
    """One run's records of the steps to compare, in order, and their columns."""

    columns: Sequence[Column]
    frames: Iterable[Frame]


@dataclass(frozen=True, slots=True)
class Parting:
    """The first step whose parameters differ in any bit (None: none does), and the largest difference there."""

    step: int | None
    parameter: str | None
    difference: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it as the contract has it."""
        difference = None if self.difference is None else plain_number(self.difference)
        return {"step": self.step, "parameter": self.parameter, "difference": difference}


def parting(one: Side, other: Side, first: int) -> Parting | None:
    """Return where two runs part, comparing parameters bit by bit from step `first` on; None: not comparable.

    Not comparable are runs whose parameters differ in shape. Reads both in bounded memory.
    """
    mine, theirs = _parameters(one.columns), _parameters(other.columns)
    if [c.shape for c in mine] != [c.shape for c in theirs]:
        return None
    start = first
    for a, b in _aligned(_rows(one, mine), _rows(other, theirs)):
        unequal = (a.view(np.uint32) != b.view(np.uint32)).any(axis=1)
        if unequal.any():
            row = int(unequal.argmax())
            return _where(mine, a[row], b[row], start + row)
        start += len(a)
    return Parting(None, None, None)


def _parameters(columns: Sequence[Column]) -> list[Column]:
    return [column for column in columns if column.role == "parameter"]


def _rows(side: Side, parameters: Sequence[Column]) -> Iterable[Rows]:
    floats = sum(column.size for column in side.columns)
    low = parameters[0].offset
    high = parameters[-1].offset + parameters[-1].size
    for frame in side.frames:
        yield np.ascontiguousarray(np.frombuffer(frame.payload, np.float32).reshape(-1, floats)[:, low:high])


def _aligned(one: Iterable[Rows], other: Iterable[Rows]) -> Iterable[tuple[Rows, Rows]]:
    # Both cut to the same lengths, until either ends.
    ones, others = iter(one), iter(other)
    a, b = next(ones, None), next(others, None)
    while a is not None and b is not None:
        count = min(len(a), len(b))
        yield a[:count], b[:count]
        a = a[count:] if count < len(a) else next(ones, None)
        b = b[count:] if count < len(b) else next(others, None)


def _where(parameters: Sequence[Column], a: Rows, b: Rows, step: int) -> Parting:
    difference = np.abs(a.astype(np.float64) - b.astype(np.float64))
    place = int(np.nanargmax(difference)) if not np.isnan(difference).all() else 0
    offset = place + parameters[0].offset
    column = next(c for c in parameters if c.offset <= offset < c.offset + c.size)
    index = np.unravel_index(offset - column.offset, column.shape)
    name = f"{column.name}[{', '.join(str(int(i)) for i in index)}]"
    return Parting(step, name, float(difference[place]))
