"""Measures what 50 viewers of one run at 60 frames per second cost the server."""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median

import psutil

from benchmarks.sampling import Effort
from benchmarks.server import process_of, server, training
from benchmarks.table import Row
from benchmarks.viewer import watch_run

SUBJECT = "crowd"
VIEWERS, FRAMES = 50, 60
REACH_PERCENT, REACH_FRAMES = 50.0, 59.0
SECS, SETTLE_SECS = 8.0, 2.0


def rows(effort: Effort) -> Iterator[Row]:
    """Measure the server's share of one core, and the frames of the slowest viewer."""
    secs = effort.secs(SECS)
    with server() as running, ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        run = training(running, pace=FRAMES)
        pool.submit(int).result()  # so that the viewers' process has started
        watching = pool.submit(watch_run, running.url, run, VIEWERS, True, secs + 2 * SETTLE_SECS)
        time.sleep(SETTLE_SECS)
        share = _share(process_of(running), secs)
        rates = watching.result()
        running.command(run, "pause")
    what = f"server's share of a core, {VIEWERS} viewers at {FRAMES} frames/s"
    yield Row(
        SUBJECT, what, share, "%", REACH_PERCENT, note=f"median viewer {median(rates):.1f} frames/s"
    )
    yield Row(
        SUBJECT, "frames to the slowest of them", min(rates), "/s", REACH_FRAMES, at_least=True
    )


def _share(process: psutil.Process, seconds: float) -> float:
    """Return the process's share of one core in percent."""
    begun, before = time.monotonic(), process.cpu_times()
    time.sleep(seconds)
    after, spent = process.cpu_times(), time.monotonic() - begun
    share: float = 100 * (after.user - before.user + after.system - before.system) / spent
    return share
