"""What it takes to take a long run out: rows a second, the server's memory meanwhile, a replay. A log made for it."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.sampling import Effort
from benchmarks.server import process_of
from benchmarks.table import Row
from livegrad.config import RunConfig
from livegrad.lifecycle import State
from livegrad.log import Batch, Entry, RunLog
from livegrad.protocol import Column, Frame, columns_of, record_bytes
from livegrad.settling import settle
from tests.running import Server, serving

SUBJECT = "exports"
STEPS = 1_000_000
REACH_ROWS, REACH_MEGABYTES, REACH_REPLAY_SECS = 20_000.0, 32.0, 30.0
MEGABYTE = 1_000_000
SHAPES = [
    ("hidden_linear.weight", (13, 1)),
    ("hidden_linear.bias", (13,)),
    ("output_linear.weight", (1, 13)),
    ("output_linear.bias", (1,)),
]


def rows(effort: Effort) -> Iterator[Row]:
    """Write a run of a million steps into a log, then take it out as CSV and as a replay."""
    steps = STEPS // 20 if effort.is_quick else STEPS
    with tempfile.TemporaryDirectory() as folder:
        run = write_run(Path(folder), steps)
        with serving(Path(folder)) as running:
            yield from _csv(running, run, steps)
            started = time.perf_counter()
            text = running.client.get(f"/api/runs/{run}/replay.html", timeout=600).text
            secs = time.perf_counter() - started
            note = f"{len(text) / MEGABYTE:.1f} MB"
            yield Row(SUBJECT, f"a replay of {steps:,} steps", secs, "s", REACH_REPLAY_SECS, note=note)


def _csv(running: Server, run: str, steps: int) -> Iterator[Row]:
    process = process_of(running)
    levels: list[int] = []
    size, started = 0, time.perf_counter()
    with running.client.stream("GET", f"/api/runs/{run}/history.csv", timeout=600) as answer:
        for part in answer.iter_raw():
            size += len(part)
            levels.append(process.memory_info().rss)
    secs = time.perf_counter() - started
    early = levels[: len(levels) // 20]
    note = f"{size / MEGABYTE:,.0f} MB in {secs:.0f} s"
    what = f"CSV of {steps:,} steps"
    yield Row(SUBJECT, f"{what}, rows a second", steps / secs, "/s", REACH_ROWS, at_least=True, note=note)
    growth = (max(levels) - max(early)) / MEGABYTE
    yield Row(SUBJECT, f"{what}, growth of the server's memory", growth, "MB", REACH_MEGABYTES)


def write_run(folder: Path, steps: int) -> str:
    """Write a finished run of `steps` steps into the run log of `folder`; return its id."""
    columns = columns_of(SHAPES, [])
    config = RunConfig(name="long", pace=None, max_steps=steps).model_dump(mode="json")
    log = RunLog(folder / "livegrad.sqlite3")
    entry = Entry(
        "10000000", "long", config, time.time(), State.FINISHED, None, 0, "", 0.001, None, columns, {}, -1
    )
    log.create(entry)
    epoch = log.begin_epoch(entry.id, "")
    axis = {"name": "x", "unit": "", "scale": 1.0}
    points = {"x": [0.0, 1.0], "y": [0.0, 1.0]}
    facts = {
        "columns": json.dumps([column.as_json() for column in columns]),
        "data": json.dumps({"dataset": "line", "train": points, "validation": points, "x": axis, "y": axis}),
        "state": "finished",
    }
    for first in range(0, steps, 50_000):
        frames = list(_frames(first, min(first + 50_000, steps), columns, epoch))
        log.append([Batch(entry.id, epoch, frames, changes=facts)])
    while settle(log):
        pass
    log.close()
    return entry.id


def _frames(first: int, end: int, columns: tuple[Column, ...], epoch: int) -> Iterator[Frame]:
    floats = record_bytes(columns) // 4
    source = np.random.default_rng(first)
    for start in range(first, end, 250):
        count = min(250, end - start)
        values = source.normal(size=(count, floats)).astype(np.float32)
        values[:, 0] = 100 / (1 + np.arange(start, start + count)) ** 0.3
        yield Frame(1, count, start, epoch, 0, 0.0, values.tobytes())
