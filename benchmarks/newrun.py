"""Measures how soon a new run on a warm server is ready, and its trainer's memory."""

import time
from collections.abc import Iterator
from statistics import median

from benchmarks.sampling import Effort
from benchmarks.server import server
from benchmarks.table import Row
from tests.running import Server

SUBJECT = "newrun"
REACH_MS, REACH_MEGABYTES = 150.0, 15.0
REPETITIONS = 15
LOOK_SECS = 0.002
MEGABYTE = 1_000_000


def rows(effort: Effort) -> Iterator[Row]:
    """Make runs one after the other, and delete each before the next."""
    samples, memories = [], []
    with server() as running:
        for _ in range(effort.times(REPETITIONS)):
            taken, memory = _one(running)
            samples.append(taken)
            memories.append(memory)
    note = f"{min(samples):.0f} to {max(samples):.0f} ms, {len(samples)} times"
    yield Row(
        SUBJECT,
        "new run, warm: POST to paused at step 0",
        median(samples),
        "ms",
        REACH_MS,
        note=note,
    )
    what = "the trainer's own memory (USS)"
    yield Row(
        SUBJECT,
        what,
        median(memories),
        "MB",
        REACH_MEGABYTES,
        note=f"at most {max(memories):.1f} MB",
    )


def _one(running: Server) -> tuple[float, float]:
    """Return (milliseconds, megabytes) of one new run."""
    before = running.descendants()
    begun = time.perf_counter()
    run = running.post("/runs", {})["id"]
    while running.get(f"/runs/{run}")["state"] != "paused":
        time.sleep(LOOK_SECS)
    taken = (time.perf_counter() - begun) * 1000
    [trainer] = running.descendants() - before
    memory = trainer.memory_full_info().uss / MEGABYTE
    running.client.delete(f"/api/runs/{run}")
    return taken, memory
