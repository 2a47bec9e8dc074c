"""Reads series of one number per step, and thins them so that minima and maxima are kept.

PURE; no web, no torch.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livegrad.errors import UnknownThing
from livegrad.protocol import Column
from livegrad.store.parameter_names import other_name

_NORMS = {"gradient_norm": "gradient", "parameter_norm": "parameter"}
_ELEMENT = re.compile(
    r"(?P<name>[^\[\]/]+)(?P<grad>\.grad)?\[(?P<index>\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*)\]"
)
Rows = NDArray[np.float32]
Steps = NDArray[np.int64]
Values = NDArray[np.float64]
Reader = Callable[[Rows], Values]


def reader(name: str, columns: Sequence[Column]) -> Reader:
    """Return the function that reads the series `name` from records of shape (count, floats).

    Names: a scalar (loss, validation_loss, lr); gradient_norm/PARAMETER and
    parameter_norm/PARAMETER (Euclidean); an element such as hidden_linear.weight[9, 0], or its
    gradient hidden_linear.weight.grad[9, 0]. Raises UnknownThing.
    """
    for column in columns:
        if column.role == "scalar" and column.name == name:
            # mypy cannot infer that `at` is an int
            return lambda rows, at=column.offset: rows[:, at].astype(np.float64)  # type: ignore[misc]
    kind, _, parameter = name.partition("/")
    if kind in _NORMS and (found := _find(parameter, _NORMS[kind], columns)):
        return _norm(found)
    if (offset := element_offset(name, columns)) is not None:
        # mypy cannot infer that `at` is an int
        return lambda rows, at=offset: rows[:, at].astype(np.float64)  # type: ignore[misc]
    known = ", ".join(c.name for c in columns if c.role == "scalar")
    raise UnknownThing(
        f"there is no series {name!r:.100}; there are {known}, gradient_norm/NAME, "
        "parameter_norm/NAME and elements like hidden_linear.weight[9, 0]"
    )


def _find(name: str, role: str, columns: Sequence[Column]) -> Column | None:
    return next(
        (c for c in columns if c.role == role and name in (c.name, other_name(c.name))), None
    )


def _norm(column: Column) -> Reader:
    def read(rows: Rows) -> Values:
        part = rows[:, column.offset : column.offset + column.size].astype(np.float64)
        return np.asarray(np.sqrt((part * part).sum(axis=1)))

    return read


def element_offset(name: str, columns: Sequence[Column]) -> int | None:
    """Return the offset of the element `name` in a record, in floats.

    Return None if `name` is no element's name.

    Raises UnknownThing for an element of an unknown parameter or outside its shape.
    """
    match = _ELEMENT.fullmatch(name)
    return None if match is None else _offset(match, columns, name)


def _offset(match: re.Match[str], columns: Sequence[Column], name: str) -> int:
    column = _find(
        match["name"].removesuffix(".grad"), "gradient" if ".grad" in name else "parameter", columns
    )
    index = tuple(int(part) for part in match["index"].split(","))
    fits = column is not None and len(index) == len(column.shape)
    if column is None or not fits or any(i >= n for i, n in zip(index, column.shape, strict=True)):
        raise UnknownThing(
            f"there is no element {name!r:.100}: expected a parameter's name and an index "
            "within its shape"
        )
    return column.offset + int(np.ravel_multi_index(index, column.shape))


def thinned(steps: Steps, values: Values, first: int, bucket: int) -> tuple[Steps, Values]:
    """Return the lowest, the highest and the first NaN value of each bucket, in order.

    A bucket is `bucket` steps, counted from step `first`. The first and the last point are kept
    too. `steps` must be in order.
    """
    if bucket <= 1 or len(steps) == 0:
        return steps, values
    starts = np.flatnonzero(np.diff((steps - first) // bucket, prepend=-1))
    absent = np.isnan(values)
    lows = np.where(absent, np.inf, values)
    highs = np.where(absent, -np.inf, values)
    chosen = [
        np.array([0, len(steps) - 1]),
        _first_equal(lows, np.minimum.reduceat(lows, starts), starts, ~absent),
        _first_equal(highs, np.maximum.reduceat(highs, starts), starts, ~absent),
        _first_equal(absent, np.ones(len(starts), bool), starts, absent),
    ]
    indices = np.unique(np.concatenate(chosen))
    return steps[indices], values[indices]


def _first_equal(
    of: Any, wanted: Any, starts: NDArray[np.intp], allowed: NDArray[np.bool_]
) -> NDArray[np.intp]:
    # In each bucket, the first allowed position with the wanted value; none if there is none.
    lengths = np.diff(starts, append=len(of))
    places = np.flatnonzero((of == np.repeat(wanted, lengths)) & allowed)
    buckets = np.searchsorted(starts, places, side="right")
    return places[np.flatnonzero(np.diff(buckets, prepend=0))]
