"""Measures the log of a run of 1,000,000 steps: its size, appending and reading.

The records come from a real run and are repeated.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.sampling import Effort, percentile
from benchmarks.server import server
from benchmarks.table import Row
from livegrad.config import RunConfig
from livegrad.lifecycle.states import State
from livegrad.protocol import (
    HEADER,
    RECORDS,
    Column,
    Frame,
    columns_from_json,
    decode,
    record_bytes,
)
from livegrad.store.compaction import compact
from livegrad.store.entry import Entry
from livegrad.store.log import RunLog
from livegrad.store.writes import Append, Create, Describe
from tests.running import Server, serving
from tests.viewer import viewing

SUBJECT = "archive"
STEPS, TRAINED = 1_000_000, 10_000
AT_ONCE = 80  # records per frame, as at full speed
REACH_SERIES_MS, REACH_ELEMENT_MS, REACH_STEP_MS = 100.0, 300.0, 10.0
READS, SERIES = 1000, 25
RUN = "long"
OPTIMIZERS = ("sgd", "adam")


def rows(effort: Effort) -> Iterator[Row]:
    """Write the log for each optimizer, then read the last one through a server."""
    steps = STEPS // 10 if effort.is_quick else STEPS
    with tempfile.TemporaryDirectory() as folder:
        for optimizer in OPTIMIZERS:
            data = Path(folder) / optimizer
            columns, records = _trained(optimizer)
            yield from _written(data, columns, records, steps, optimizer)
        yield _unpacked(data, steps, effort)
        with serving(data) as running:
            yield from _read(running, steps, effort)


def _trained(optimizer: str) -> tuple[tuple[Column, ...], bytes]:
    """Train a real run; return the columns, and the records of steps 1 to TRAINED."""
    with server() as running:
        run = running.create(
            optimizer={"kind": optimizer}, batch_size=4, pace=None, max_steps=2 * TRAINED
        )
        running.command(run, "step", count=TRAINED)
        with viewing(running, run) as viewer:
            columns = columns_from_json(viewer.columns)
        data = running.client.get(f"/api/runs/{run}/records", params={"from": 1}).content
    return columns, b"".join(frame.payload for frame in _frames(data, record_bytes(columns)))


def _frames(data: bytes, length: int) -> Iterator[Frame]:
    while data:
        size = HEADER.size + HEADER.unpack_from(data)[3] * length
        yield decode(data[:size])
        data = data[size:]


def _written(
    folder: Path, columns: tuple[Column, ...], records: bytes, steps: int, optimizer: str
) -> Iterator[Row]:
    folder.mkdir()
    log = RunLog(folder / "livegrad.sqlite3")
    config = RunConfig().model_dump(mode="json")
    entry = Entry(
        RUN, RUN, config, time.time(), State.INTERRUPTED, None, 1, "", 0.1, None, (), {}, -1
    )
    log.apply([Create(entry), Describe(RUN, 1, columns, "{}")])
    appending, settling = _append(log, records, record_bytes(columns), steps)
    log.close()
    size, raw = (folder / "livegrad.sqlite3").stat().st_size, steps * record_bytes(columns)
    note = f"{size / steps:.0f} of {raw / steps:.0f} bytes per step, summaries included"
    yield Row(
        SUBJECT, f"run log on disk ÷ raw records, {optimizer}", size / raw, "×", 1.0, note=note
    )
    what = f"append a record, {AT_ONCE} at once, {optimizer}"
    note = f"and {settling:.1f} µs per record to pack and summarize it afterwards"
    yield Row(SUBJECT, what, appending, "µs", note=note)


def _append(log: RunLog, records: bytes, length: int, steps: int) -> tuple[float, float]:
    """Return the processor time in µs per record for appending and for compacting."""
    appending = settling = 0.0
    for first in range(0, steps, AT_ONCE):
        low = first % (TRAINED - AT_ONCE)
        count = min(AT_ONCE, steps - first)
        payload = records[low * length : (low + count) * length]
        begun = time.process_time()
        log.apply([Append.frames(RUN, 1, Frame(RECORDS, count, first, 1, 0, time.time(), payload))])
        between = time.process_time()
        while compact(log):
            pass
        appending, settling = appending + between - begun, settling + time.process_time() - between
    return appending / steps * 1e6, settling / steps * 1e6


def _unpacked(folder: Path, steps: int, effort: Effort) -> Row:
    log, chosen = RunLog(folder / "livegrad.sqlite3"), random.Random(0)
    spent = []
    for _ in range(effort.times(READS)):
        step, begun = chosen.randrange(steps), time.process_time()
        assert log.frame(RUN, step) is not None
        spent.append((time.process_time() - begun) * 1000)
    log.close()
    what = f"any step of {steps:,}, read and unpacked, processor time, p99"
    return Row(
        SUBJECT,
        what,
        percentile(spent, 99),
        "ms",
        REACH_STEP_MS,
        note=f"median {median(spent):.1f} ms",
    )


def _read(running: Server, steps: int, effort: Effort) -> Iterator[Row]:
    shown = f"{steps:,} steps"
    asked: dict[str, Any] = {"name": ["loss", "gradient_norm/hidden_linear.weight"], "points": 1000}
    spent = _timed(effort.times(SERIES), lambda: running.get(f"/runs/{RUN}/series", params=asked))
    note = f"p99 {percentile(spent, 99):.0f} ms; two series of 1,000 points"
    yield Row(
        SUBJECT, f"series over {shown}, median", median(spent), "ms", REACH_SERIES_MS, note=note
    )
    asked = {"name": "hidden_linear.weight[9, 0]", "points": 1000}
    spent = _timed(effort.times(SERIES), lambda: running.get(f"/runs/{RUN}/series", params=asked))
    note = f"p99 {percentile(spent, 99):.0f} ms; one series of 1,000 points"
    what = f"series of a single element over {shown}, median"
    yield Row(SUBJECT, what, median(spent), "ms", REACH_ELEMENT_MS, note=note)
    chosen = random.Random(0)

    def one() -> None:
        step = chosen.randrange(steps)
        answer = running.client.get(f"/api/runs/{RUN}/records", params={"from": step, "to": step})
        assert decode(answer.content).first == step

    spent = _timed(effort.times(READS), one)
    note = f"p99 {percentile(spent, 99):.0f} ms"
    yield Row(
        SUBJECT,
        f"any step of {shown} over HTTP, median",
        median(spent),
        "ms",
        REACH_STEP_MS,
        note=note,
    )
    spent = _timed(effort.times(SERIES), lambda: running.get(f"/runs/{RUN}/kept"))
    yield Row(SUBJECT, f"which of {shown} are kept, median", median(spent), "ms")


def _timed(times: int, act: Callable[[], object]) -> list[float]:
    """Return how many milliseconds each of `times` calls took, after one that is not counted."""
    act()
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        act()
        spent.append((time.perf_counter() - begun) * 1000)
    return spent
