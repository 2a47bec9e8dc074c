"""Makes one HTML file that replays a run offline: chooses its steps and provides the page's data.

No web, no torch.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from livegrad.errors import BadValue
from livegrad.export.html_bundle import Block, as_text, pack
from livegrad.export.loop_source import loop_source
from livegrad.protocol import Column, record_bytes
from livegrad.store.curves import Source, curves

SERIES_POINTS = 1500  # of each chart's line
FEWEST = 16  # the smallest number of steps that makes a replay
_PAGE, _ENTRY = "replay/replay.html", "replay/main.js"
_DASHBOARD = "index.html"  # whose style sheets a replay has too
Told = Callable[[int, int], None]  # called with the number of records read, and of how many
Ranges = Sequence[tuple[int, int]]
Series = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Recording:
    """A run as the source of a replay: its Run and data as the page knows them, and its history.

    `kept` are the ranges of steps, both ends included, whose records are in the log.
    """

    run: dict[str, Any]
    data: dict[str, Any]
    columns: tuple[Column, ...]
    history: Source
    kept: Ranges


def replay(
    recording: Recording, folder: Path, size_bytes: int, told: Told = lambda done, of: None
) -> str:
    """Return the HTML file, at most `size_bytes` long; `folder` holds the page's modules.

    `told` is called often; an exception that it raises ends the work. Raises BadValue for too small
    a size.
    """
    first, last = recording.kept[0][0], recording.kept[-1][1]
    names = _series_names(recording.columns)
    series = curves(recording.history, recording.columns, names, first, last, SERIES_POINTS)
    bare = len(_page(recording, folder, size_bytes, series, [], b"").encode())
    length = record_bytes(recording.columns)
    # a base64 character carries 6 bits; each range of steps takes some characters more
    room = (size_bytes - bare) * 3 // 4 // (length + 16)
    if room < FEWEST:
        least = bare + FEWEST * (length + 16) * 4 // 3
        raise BadValue(
            f"size: expected at least {-(-least // 1000)}KB for this run, received "
            f"{size_bytes // 1000}KB"
        )
    ranges, payload = _read(recording, chosen(recording.kept, room, series[0]), told)
    return _page(recording, folder, size_bytes, series, ranges, payload)


def chosen(kept: Ranges, room: int, loss: dict[str, Any]) -> Ranges:
    """Return the ranges of steps out of `kept` that a replay of at most `room` records contains.

    These are all steps if they fit. Otherwise each chosen step comes with the one before it, so
    that its change can be shown. Chosen are the first and the last step, the one with the lowest
    loss, the highest spikes, and as many evenly spaced steps as fit.
    """
    steps = np.concatenate([np.arange(start, end + 1) for start, end in kept])
    if len(steps) <= room:
        return kept
    moments = room // 2
    wanted = _best_and_spikes(loss, moments // 4)
    found = {int(steps[0]), int(steps[-1])} | {step for step in wanted if _is_in(step, steps)}
    spare = np.linspace(0, len(steps) - 1, moments - len(found)).round().astype(int)
    found |= set(steps[spare].tolist())
    return _merged([(step - _is_in(step - 1, steps), step) for step in sorted(found)])


def _is_in(step: int, steps: Any) -> bool:
    place = int(np.searchsorted(steps, step))
    return place < len(steps) and bool(steps[place] == step)


def _best_and_spikes(loss: dict[str, Any], most: int) -> set[int]:
    steps = np.array(loss["steps"])
    values = np.array([v if isinstance(v, float) else np.nan for v in loss["values"]])
    known = np.flatnonzero(values > 0)
    if len(known) < 3:
        return set()
    heights = np.log(values[known])
    rise = heights[1:-1] - np.maximum(heights[:-2], heights[2:])
    order = np.argsort(-rise)[:most]
    spikes = {int(steps[known[i + 1]]) for i in order if rise[i] > 0}
    return spikes | {int(steps[known[heights.argmin()]])}


def _merged(ranges: Ranges) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _read(recording: Recording, ranges: Ranges, told: Told) -> tuple[list[tuple[int, int]], bytes]:
    # The stored part of the ranges: (first step, count) of each stretch, and its bytes.
    stretches: list[tuple[int, int]] = []
    payloads: list[bytes] = []
    done, of = 0, sum(end - start + 1 for start, end in ranges)
    for start, end in ranges:
        told(done, of)
        done += end - start + 1
        for frame in recording.history.frames(start, end):
            if stretches and sum(stretches[-1]) == frame.first:
                stretches[-1] = (stretches[-1][0], stretches[-1][1] + frame.count)
            else:
                stretches.append((frame.first, frame.count))
            payloads.append(frame.payload)
    return stretches, b"".join(payloads)


def _page(
    recording: Recording,
    folder: Path,
    size_bytes: int,
    series: Series,
    stretches: Ranges,
    payload: bytes,
) -> str:
    facts = {
        "run": recording.run,
        "data": recording.data,
        "columns": [column.as_json() for column in recording.columns],
        "record_bytes": record_bytes(recording.columns),
        "loop": asdict(loop_source()),
        "series": series,
        "stretches": stretches,
        "steps": recording.kept[-1][1] - recording.kept[0][0] + 1,
        "size_bytes": size_bytes,
    }
    blocks = [
        Block("facts", "application/json", as_text(facts)),
        Block("records", "application/base64", b64encode(payload).decode()),
    ]
    return pack(folder, _PAGE, _DASHBOARD, _ENTRY, f"{recording.run['name']}, a replay", blocks)


def _series_names(columns: Sequence[Column]) -> list[str]:
    norms = [f"gradient_norm/{column.name}" for column in columns if column.role == "parameter"]
    return ["loss", "validation_loss", *norms]
