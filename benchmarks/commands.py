"""Measures how long a command takes to be answered while training runs at full speed.

`pause` stops the run at full speed. A running run refuses `step`, so it steps right after the
pause, while a second run goes on at full speed beside it.
"""

import time
from collections.abc import Iterator

from benchmarks.sampling import Effort, percentile
from benchmarks.server import server, training
from benchmarks.table import Row
from tests.running import Server

SUBJECT = "commands"
REACH_MS = 50.0
SAMPLES = 300
BETWEEN_SECS = 0.01


def rows(effort: Effort) -> Iterator[Row]:
    """Time `pause` with one run at full speed, then `step` with another one at full speed."""
    samples = effort.times(SAMPLES)
    with server() as running:
        run = training(running)
        yield _row("pause", "its run at full speed", [_pause(running, run) for _ in range(samples)])
        other = training(running)
        running.command(run, "pause")
        yield _row(
            "step", "another run at full speed", [_step(running, run) for _ in range(samples)]
        )
        running.command(other, "pause")


def _pause(running: Server, run: str) -> float:
    time.sleep(BETWEEN_SECS)
    taken = _timed(running, run, "pause")
    running.command(run, "play")
    return taken


def _step(running: Server, run: str) -> float:
    time.sleep(BETWEEN_SECS)
    return _timed(running, run, "step")


def _timed(running: Server, run: str, kind: str) -> float:
    begun = time.perf_counter()
    running.command(run, kind)
    return (time.perf_counter() - begun) * 1000


def _row(kind: str, where: str, samples: list[float]) -> Row:
    half, most = percentile(samples, 50), percentile(samples, 99)
    note = f"p50 {half:.1f} ms, {len(samples)} times"
    return Row(
        SUBJECT,
        f"{kind} to its answer, {where}, p99",
        most,
        "ms",
        REACH_MS,
        note=note,
        detail={"p50": half},
    )
