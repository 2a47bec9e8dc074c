"""Series of one number over all steps, thinned so that minima and maxima stay. PURE; no web, no torch."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livegrad.errors import BadValue, UnknownThing
from livegrad.protocol import Column, Frame, plain_numbers
from livegrad.snapshot import other_name

MAX_POINTS = 20_000
_NORMS = {"gradient_norm": "gradient", "parameter_norm": "parameter"}
_ELEMENT = re.compile(r"(?P<name>[^\[\]/]+)(?P<grad>\.grad)?\[(?P<index>\s*\d{1,9}\s*(,\s*\d{1,9}\s*)*)\]")
Rows = NDArray[np.float32]
Values = NDArray[np.float64]
Reader = Callable[[Rows], Values]


def reader(name: str, columns: Sequence[Column]) -> Reader:
    """Return the function that reads the series `name` out of records of shape (count, floats).

    Names: a scalar (loss, validation_loss, lr); gradient_norm/PARAMETER and parameter_norm/PARAMETER, Euclidean; an
    element such as hidden_linear.weight[9, 0], or its gradient hidden_linear.weight.grad[9, 0]. Raises UnknownThing.
    """
    for column in columns:
        if column.role == "scalar" and column.name == name:
            return lambda rows, at=column.offset: rows[:, at].astype(np.float64)  # type: ignore[misc]
    kind, _, parameter = name.partition("/")
    if kind in _NORMS and (found := _find(parameter, _NORMS[kind], columns)):
        return _norm(found)
    if (match := _ELEMENT.fullmatch(name)) is not None:
        return _element(match, columns, name)
    known = ", ".join(c.name for c in columns if c.role == "scalar")
    raise UnknownThing(
        f"there is no series {name!r:.100}; there are {known}, gradient_norm/NAME, parameter_norm/NAME and "
        "elements like hidden_linear.weight[9, 0]"
    )


def _find(name: str, role: str, columns: Sequence[Column]) -> Column | None:
    return next((c for c in columns if c.role == role and name in (c.name, other_name(c.name))), None)


def _norm(column: Column) -> Reader:
    def read(rows: Rows) -> Values:
        part = rows[:, column.offset : column.offset + column.size].astype(np.float64)
        return np.asarray(np.sqrt((part * part).sum(axis=1)))

    return read


def _element(match: re.Match[str], columns: Sequence[Column], name: str) -> Reader:
    column = _find(
        match["name"].removesuffix(".grad"), "gradient" if ".grad" in name else "parameter", columns
    )
    index = tuple(int(part) for part in match["index"].split(","))
    fits = column is not None and len(index) == len(column.shape)
    if column is None or not fits or any(i >= n for i, n in zip(index, column.shape, strict=True)):
        raise UnknownThing(
            f"there is no element {name!r:.100}: expected a parameter's name and an index within its shape"
        )
    at = column.offset + int(np.ravel_multi_index(index, column.shape))
    return lambda rows: rows[:, at].astype(np.float64)


@dataclass(slots=True)
class Thinned:
    """A series under way: for each bucket of steps its first, lowest and highest value, as they come."""

    name: str
    read: Reader
    steps: list[Any] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as the contract's series."""
        steps = np.concatenate(self.steps).tolist() if self.steps else []
        values = np.concatenate(self.values).tolist() if self.values else []
        return {"name": self.name, "steps": steps, "values": plain_numbers(values)}


def thin(
    frames: Iterable[Frame],
    columns: Sequence[Column],
    names: Sequence[str],
    first: int,
    last: int,
    points: int,
) -> list[dict[str, Any]]:
    """Return the series `names` from step `first` to `last`, each of about `points` points, extremes kept.

    Reads the frames once, in bounded memory. A bucket's first NaN is kept too. Raises UnknownThing
    for a name, BadValue for `points` that are not 2 to MAX_POINTS.
    """
    if not 2 <= points <= MAX_POINTS:
        raise BadValue(f"points: expected a whole number from 2 to {MAX_POINTS}, received {points}")
    series = [Thinned(name, reader(name, columns)) for name in names]
    bucket = max(1, -(-2 * (last - first + 1) // points))  # steps that share one minimum and one maximum
    floats = sum(column.size for column in columns)
    for start, rows in _buckets(frames, first, bucket, floats):
        for one in series:
            _add(one, start, one.read(rows), bucket)
    return [one.as_json() for one in series]


def _buckets(frames: Iterable[Frame], first: int, bucket: int, floats: int) -> Iterable[tuple[int, Rows]]:
    # Whole buckets at a time, some thousand rows at once.
    size = bucket * max(1, 4096 // bucket)
    kept: list[Rows] = []
    count, start = 0, first
    for frame in frames:
        kept.append(np.frombuffer(frame.payload, np.float32).reshape(-1, floats))
        count += frame.count
        while count >= size:
            rows = np.concatenate(kept)
            yield start, rows[:size]
            kept, count, start = [rows[size:]], count - size, start + size
    if count:
        yield start, np.concatenate(kept)


def _add(one: Thinned, start: int, values: Values, bucket: int) -> None:
    if bucket == 1:
        one.steps.append(np.arange(start, start + len(values)))
        one.values.append(values)
        return
    chosen = {0, len(values) - 1} if start == 0 else {len(values) - 1}
    for low in range(0, len(values), bucket):
        chosen |= {low + place for place in _extremes(values[low : low + bucket])}
    indices = np.array(sorted(chosen))
    one.steps.append(indices + start)
    one.values.append(values[indices])


def _extremes(part: Values) -> set[int]:
    absent = np.isnan(part)
    if absent.all():
        return {0}
    places = {int(np.nanargmin(part)), int(np.nanargmax(part))}
    return places | {int(absent.argmax())} if absent.any() else places
