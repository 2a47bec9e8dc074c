"""A long run written straight into a run log, without training. Knows nothing of torch."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from livegrad.config import RunConfig
from livegrad.lifecycle.states import State
from livegrad.protocol import Column, Frame, columns_of, record_bytes
from livegrad.store.compaction import compact
from livegrad.store.entry import Entry
from livegrad.store.log import RunLog
from livegrad.store.writes import Append, Create, Describe, Item, Note

SHAPES = [
    ("hidden_linear.weight", (13, 1)),
    ("hidden_linear.bias", (13,)),
    ("output_linear.weight", (1, 13)),
    ("output_linear.bias", (1,)),
]


def write_run(folder: Path, steps: int) -> str:
    """Write a finished run of `steps` steps into the run log of `folder`; return its id."""
    columns = columns_of(SHAPES, [])
    config = RunConfig(name="long", pace=None, max_steps=steps).model_dump(mode="json")
    log = RunLog(folder / "livegrad.sqlite3")
    entry = Entry(
        "10000000",
        "long",
        config,
        time.time(),
        State.RUNNING,
        None,
        1,
        "",
        0.001,
        None,
        columns,
        {},
        -1,
    )
    axis = {"name": "x", "unit": "", "scale": 1.0}
    points = {"x": [0.0, 1.0], "y": [0.0, 1.0]}
    data = {"dataset": "line", "train": points, "validation": points, "x": axis, "y": axis}
    log.apply([Create(entry), Describe(entry.id, 1, columns, json.dumps(data))])
    for first in range(0, steps, 50_000):
        log.apply(
            [Append.frames(entry.id, 1, *_frames(first, min(first + 50_000, steps), columns))]
        )
    log.apply([Append(entry.id, 1, (Item(note=Note(steps - 1, State.FINISHED)),))])
    while compact(log):
        pass
    log.close()
    return entry.id


def _frames(first: int, end: int, columns: tuple[Column, ...]) -> Iterator[Frame]:
    floats = record_bytes(columns) // 4
    source = np.random.default_rng(first)
    for start in range(first, end, 250):
        count = min(250, end - start)
        values = source.normal(size=(count, floats)).astype(np.float32)
        values[:, 0] = 100 / (1 + np.arange(start, start + count)) ** 0.3
        yield Frame(1, count, start, 1, 0, 0.0, values.tobytes())
