"""Builds series for charts: from summaries for many steps, from records for few.

Every point is a recorded step with its value. Minima, maxima and the first NaN between points are
kept. This module knows neither SQL nor the web.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from livegrad.errors import BadValue
from livegrad.protocol import Column, Frame, plain_numbers
from livegrad.store.blocks import FOLD, SIZES
from livegrad.store.element_summary import element_place, unpacked
from livegrad.store.series import Steps, Values, reader, thinned
from livegrad.store.summary import points, read, spans, summary_place

MAX_POINTS = 20_000
EXACT_STEPS = 65_536  # above this, records are read only for steps without a summary
BATCH_STEPS = 2048
BATCH_BLOCKS = 1024  # element summaries per batch: a few megabytes unpacked
Point = tuple[Steps, Values]


class Source(Protocol):
    """One run's history. Summaries of `size` steps cover the steps before `compacted`."""

    @property
    def first_step(self) -> int: ...

    @property
    def compacted(self) -> int: ...

    def frames(self, first: int, last: int) -> Iterable[Frame]:
        """Yield the kept records of steps `first` to `last`, both included."""

    def summaries(self, size: int, first: int, last: int) -> list[bytes]:
        """Return the summaries of all blocks of `size` steps that contain any of the steps."""

    def element_summaries(self, size: int, first: int, last: int) -> list[tuple[int, bytes]]:
        """Return the element summaries of such blocks, each with its block's first step.

        Some blocks may have none.
        """


def curves(
    source: Source,
    columns: Sequence[Column],
    wanted: Sequence[str],
    first: int,
    last: int,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the series `wanted` from step `first` to step `last`, extremes kept.

    Each series has about `limit` points. Raises UnknownThing for an unknown name, BadValue for a
    limit outside 2 to MAX_POINTS.
    """
    if not 2 <= limit <= MAX_POINTS:
        raise BadValue(f"points: expected a whole number from 2 to {MAX_POINTS}, received {limit}")
    # the number of steps that share one minimum and one maximum
    bucket = max(1, -(-2 * (last - first + 1) // limit))
    sizes = [size for size in SIZES if size <= 2 * bucket]
    if last - first >= EXACT_STEPS:
        sizes = sizes or [SIZES[0]]
    reading = Reading(source, columns, wanted)
    for low, high, size in spans(first, last, sizes, source.first_step, source.compacted):
        reading.take_summaries(low, high, size)
    return [_as_json(name, *thinned(*reading.curve(name), first, bucket)) for name in wanted]


def _as_json(name: str, steps: Steps, values: Values) -> dict[str, Any]:
    return {"name": name, "steps": steps.tolist(), "values": plain_numbers(values.tolist())}


class Reading:
    """Collects the points of several series, from summaries or from records.

    Records are read where there are few steps, or where a block has no element summary.
    """

    def __init__(self, source: Source, columns: Sequence[Column], wanted: Sequence[str]) -> None:
        self._source, self._columns = source, columns
        self._readers = {name: reader(name, columns) for name in wanted}
        self._places = {
            name: place for name in wanted if (place := summary_place(name, columns)) is not None
        }
        self._elements = {
            name: element_place(name, columns) for name in wanted if name not in self._places
        }
        self._found: dict[str, list[Point]] = {name: [] for name in wanted}

    def take_summaries(self, first: int, last: int, size: int) -> None:
        """Collect the points of these steps from summaries of `size` steps.

        A `size` of 1 means every kept record.
        """
        if size == 1:
            self._take_records(self._readers, first, last)
        if self._places:
            cells = read(self._source.summaries(max(size, SIZES[0]), first, last), self._columns)
            for name, place in self._places.items():
                self._take(name, points(cells, place), first, last)
        if self._elements:
            self._take_elements(first, last, size)

    def _take(self, name: str, found: Point, first: int, last: int) -> None:
        steps, values = found
        inside = (steps >= first) & (steps <= last)
        self._found[name].append((steps[inside], values[inside]))

    def _take_elements(self, first: int, last: int, size: int) -> None:
        length = max(size, SIZES[0])
        for low in range(first, last + 1, BATCH_BLOCKS * length):
            self._take_some_elements(low, min(last, low + BATCH_BLOCKS * length - 1), size, length)

    def _take_some_elements(self, first: int, last: int, size: int, length: int) -> None:
        summaries = self._source.element_summaries(length, first, last)
        for name, place in self._elements.items():
            if summaries:
                self._take(
                    name,
                    points(unpacked(summaries, length, slice(place, place + 1)), 0),
                    first,
                    last,
                )
        if size == 1:
            return
        for low, high in _gaps([begun for begun, _ in summaries], length, first, last):
            if size > SIZES[0]:
                self._take_elements(low, high, size // FOLD)
            else:
                self._take_records(self._elements, low, high)

    def _take_records(self, wanted: Iterable[str], first: int, last: int) -> None:
        floats = sum(column.size for column in self._columns)
        for frames in _batches(self._source.frames(first, last)):
            steps = np.concatenate([np.arange(frame.first, frame.last + 1) for frame in frames])
            rows = np.frombuffer(b"".join(frame.payload for frame in frames), np.float32).reshape(
                -1, floats
            )
            for name in wanted:
                self._found[name].append((steps, self._readers[name](rows)))

    def curve(self, name: str) -> Point:
        """Return the collected points in order of steps, without duplicates."""
        found = self._found[name]
        steps = np.concatenate([np.zeros(0, np.int64), *(steps for steps, _ in found)])
        values = np.concatenate([np.zeros(0), *(values for _, values in found)])
        steps, indices = np.unique(steps, return_index=True)
        return steps, values[indices]


def _gaps(firsts: Sequence[int], size: int, first: int, last: int) -> Iterator[tuple[int, int]]:
    # Yield the steps from `first` to `last` that no block of `size` steps beginning at `firsts`
    # covers.
    for begun in firsts:
        if begun > first:
            yield first, begun - 1
        first = begun + size
    if first <= last:
        yield first, last


def _batches(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    # A frame may hold one record only; reading thousands of rows at once takes a tenth of the time.
    kept: list[Frame] = []
    for frame in frames:
        kept.append(frame)
        if sum(one.count for one in kept[-64:]) >= BATCH_STEPS or len(kept) >= BATCH_STEPS:
            yield kept
            kept = []
    if kept:
        yield kept
