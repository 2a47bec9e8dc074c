"""Measures how fast a run continues: from any step, and after kill -9.

A run counts as ready once a viewer that was there before, and reconnected by itself, sees a new
step. The next server is started at once, as a supervisor would. Nothing is killed before torch is
loaded, so that no sample includes the recovery from the previous one.
"""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.sampling import Effort, percentile
from benchmarks.server import FOREVER, server
from benchmarks.table import Row
from livegrad.protocol import Frame
from tests.running import Server, free_port
from tests.server.restartable import ReconnectingViewer, RestartableServer

SUBJECT = "restart"
REACH_STEP_MS, REACH_READY_SECS = 300.0, 5.0
STEPS, AT_ONCE = 50_000, 10_000
BRANCHES, KILLS = 150, 10
BETWEEN_SECS = (0.2, 0.7)
PATIENCE_SECS, LOOK_SECS = 60.0, 0.005
CONFIG = {"optimizer": {"kind": "adam"}, "batch_size": 4, "pace": None, "max_steps": FOREVER}


def rows(effort: Effort) -> Iterator[Row]:
    """Continue a long run from random steps; then repeatedly kill the processes of another run."""
    with server() as running:
        yield _restored(running, effort)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(RestartableServer(Path(folder), free_port(), CONFIG)) as restartable,
    ):
        restartable.server.command(restartable.run, "play")
        kills = {
            "the trainer": restartable.kill_trainer,
            "the server": restartable.kill_server,
            "both": restartable.kill_both,
        }
        for whom, kill in kills.items():
            yield _ready(restartable, whom, kill, effort.times(KILLS))


def _restored(running: Server, effort: Effort) -> Row:
    steps = effort.times(STEPS) // AT_ONCE * AT_ONCE
    run = running.create(**CONFIG)
    for _ in range(steps // AT_ONCE):
        running.command(run, "step", count=AT_ONCE)
    chosen = random.Random(0)
    taken = [_one(running, run, chosen.randrange(1, steps)) for _ in range(effort.times(BRANCHES))]
    half, most = percentile(taken, 50), percentile(taken, 99)
    what = f"any step of {steps:,} restored, and the first new step committed, warm, p99"
    note = f"p50 {half:.0f} ms, {len(taken)} times"
    return Row(SUBJECT, what, most, "ms", REACH_STEP_MS, note=note, detail={"p50": half})


def _one(running: Server, run: str, step: int) -> float:
    begun = time.perf_counter()
    child = running.post(f"/runs/{run}/branches", {"step": step})["id"]
    answer = running.command(child, "step")
    taken = (time.perf_counter() - begun) * 1000
    assert answer["step"] == step + 1, answer
    running.client.delete(f"/api/runs/{child}")
    return taken


@dataclass(frozen=True, slots=True)
class Sight:
    """A received frame of records: when, over which connection, from which trainer."""

    at: float
    connection: int
    epoch: int


def _ready(restartable: RestartableServer, whom: str, kill: Callable[[], None], times: int) -> Row:
    sights: list[Sight] = []

    def note(connection: int, frame: Frame) -> None:
        sights.append(Sight(time.perf_counter(), connection, frame.epoch))

    chosen, taken = random.Random(0), []
    with ReconnectingViewer(restartable.port, restartable.run, note):
        for _ in range(times):
            _settle(restartable)
            time.sleep(chosen.uniform(*BETWEEN_SECS))
            before = sights[-1]
            sights.clear()
            kill()
            taken.append(first_new(sights, before).at - restartable.killed_at)
    note_ = f"median {median(taken):.2f} s, {times} times"
    what = f"a new step seen after kill -9 of {whom}, the longest"
    return Row(SUBJECT, what, max(taken), "s", REACH_READY_SECS, note=note_, detail={"each": taken})


def _settle(restartable: RestartableServer) -> None:
    restartable.ready_again()
    end = time.monotonic() + PATIENCE_SECS
    while restartable.server.get("/health")["torch"] != "ready":
        assert time.monotonic() < end, f"torch was not loaded in {PATIENCE_SECS:.0f} s"
        time.sleep(LOOK_SECS)


def first_new(sights: list[Sight], before: Sight) -> Sight:
    """Wait for the first frame after the kill; `before` is a frame from before it."""
    end = time.monotonic() + PATIENCE_SECS
    while time.monotonic() < end:
        if (found := _new(sights, before)) is not None:
            return found
        time.sleep(LOOK_SECS)
    raise AssertionError(f"no new step was seen in {PATIENCE_SECS:.0f} s")


def _new(sights: list[Sight], before: Sight) -> Sight | None:
    same = [
        sight
        for sight in sights
        if sight.connection == before.connection and sight.epoch > before.epoch
    ]
    # A connection begins with the newest stored record, which may be older than the kill.
    again = [sight for sight in sights if sight.connection > before.connection][1:]
    return next(iter(same or again), None)
