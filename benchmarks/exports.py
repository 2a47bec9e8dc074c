"""Measures the export of a long run: its speed, the server's memory, a replay."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.sampling import Effort
from benchmarks.server import process_of
from benchmarks.table import Row
from tests.long_run import write_run
from tests.running import Server, serving

SUBJECT = "exports"
STEPS = 1_000_000
REACH_ROWS, REACH_MEGABYTES, REACH_REPLAY_SECS = 20_000.0, 32.0, 30.0
MEGABYTE = 1_000_000


def rows(effort: Effort) -> Iterator[Row]:
    """Write a run of a million steps into a log, then export it as CSV and as a replay."""
    steps = STEPS // 20 if effort.is_quick else STEPS
    with tempfile.TemporaryDirectory() as folder:
        run = write_run(Path(folder), steps)
        with serving(Path(folder)) as running:
            yield from _csv(running, run, steps)
            started = time.perf_counter()
            text = running.client.get(f"/api/runs/{run}/replay.html", timeout=600).text
            secs = time.perf_counter() - started
            note = f"{len(text) / MEGABYTE:.1f} MB"
            yield Row(
                SUBJECT, f"a replay of {steps:,} steps", secs, "s", REACH_REPLAY_SECS, note=note
            )


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
    yield Row(
        SUBJECT,
        f"{what}, rows per second",
        steps / secs,
        "/s",
        REACH_ROWS,
        at_least=True,
        note=note,
    )
    growth = (max(levels) - max(early)) / MEGABYTE
    yield Row(SUBJECT, f"{what}, growth of the server's memory", growth, "MB", REACH_MEGABYTES)
