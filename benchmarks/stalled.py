"""Measures how a viewer that stops reading affects the server and another viewer."""

from collections.abc import Iterator

import psutil

from benchmarks.sampling import Effort
from benchmarks.server import process_of, server, training
from benchmarks.table import Row
from benchmarks.viewer import Viewer, attach, watch

SUBJECT = "stalled"
REACH_MEGABYTES, REACH_FRAMES = 10.0, 55.0
SETTLE_SECS, STALL_SECS = 5.0, 10.0
SLICE_SECS = 0.25  # between two checks of the memory
MEGABYTE = 1_000_000


def rows(effort: Effort) -> Iterator[Row]:
    """Watch without a stalled viewer, then with one that acknowledges, then with one that does
    not.
    """
    with server() as running:
        run = training(running)
        beside = attach(running.url, run, acknowledges=True)
        watch([beside], effort.secs(SETTLE_SECS))
        process = process_of(running)
        growth, rate = _watched(process, beside, effort)
        what = f"server's memory in {effort.secs(STALL_SECS):.0f} s, nobody stalled"
        yield Row(SUBJECT, what, growth, "MB", note=f"{rate:.0f} frames/s")
        for acknowledges in (True, False):
            stalled = attach(running.url, run, acknowledges)
            growth, rate = _watched(process, beside, effort)
            stalled.connection.close()
            who = f"one viewer stalled {'with' if acknowledges else 'without'} flow=ack"
            yield Row(
                SUBJECT, f"growth of the server's memory, {who}", growth, "MB", REACH_MEGABYTES
            )
            yield Row(
                SUBJECT, f"frames to another viewer, {who}", rate, "/s", REACH_FRAMES, at_least=True
            )
        running.command(run, "pause")


def _watched(process: psutil.Process, viewer: Viewer, effort: Effort) -> tuple[float, float]:
    """Return the largest growth of the server's memory in MB, and the viewer's frames/s."""
    before, frames, spent = process.memory_info().rss, viewer.frames, 0.0
    most = before
    while spent < effort.secs(STALL_SECS):
        spent += watch([viewer], SLICE_SECS)
        most = max(most, process.memory_info().rss)
    return (most - before) / MEGABYTE, (viewer.frames - frames) / spent
