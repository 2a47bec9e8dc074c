"""Kill -9 the trainer, the server, or both, at random moments.

No step that anyone has seen is missing or changed.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.sync.client import connect

from livegrad.protocol import Frame
from tests.running import Server, free_port
from tests.server.restartable import ReconnectingViewer, RestartableServer
from tests.server.trainers import integrity, trainer_of
from tests.viewer import record_bytes, stored

# more of them on demand: 200 take some minutes
MOMENTS = int(os.environ.get("LIVEGRAD_MOMENTS", "50"))
CONFIG: dict[str, Any] = {
    "optimizer": {"kind": "adam", "lr": 0.01},
    "batch_size": 4,
    "seed": 11,
    "pace": None,
    "max_steps": 10_000_000,
}


class SeenRecords:
    """What a viewer was ever shown, by step."""

    def __init__(self) -> None:
        self.seen: dict[int, bytes] = {}
        self.changed: list[int] = []  # steps that were shown with other bytes a second time

    def note(self, connection: int, frame: Frame) -> None:
        size = frame.record_bytes
        for i in range(frame.count):
            record = frame.payload[i * size : (i + 1) * size]
            if self.seen.setdefault(frame.first + i, record) != record:
                self.changed.append(frame.first + i)


@pytest.fixture
def restartable(tmp_path: Path) -> Iterator[RestartableServer]:
    with closing(RestartableServer(tmp_path / "data", free_port(), CONFIG)) as made:
        yield made


def all_records(server: Server, run: str) -> dict[int, bytes]:
    return stored(server, run, record_bytes(server, run))


@pytest.mark.slow
def test_no_step_that_anyone_has_seen_is_missing_doubled_or_changed(
    restartable: RestartableServer, record_property: Callable[[str, object], None]
) -> None:
    moments = random.Random(4)
    waits: list[float] = []  # seconds; `ready_again` bounds each, the benchmark measures them
    restartable.server.command(restartable.run, "play")
    seen_records = SeenRecords()
    with ReconnectingViewer(restartable.port, restartable.run, seen_records.note):
        for number in range(MOMENTS):
            time.sleep(moments.uniform(0.0, 0.25))
            # Servers take longest to come back: every fifth moment.
            kill = {0: restartable.kill_server, 1: restartable.kill_both}.get(
                number % 10, restartable.kill_trainer
            )
            kill()
            waits.append(restartable.ready_again())
        restartable.server.command(restartable.run, "pause")
    assert len(waits) == MOMENTS
    record_property(
        "ready_again_secs", {"median": sorted(waits)[MOMENTS // 2], "longest": max(waits)}
    )
    kept = all_records(restartable.server, restartable.run)
    last = restartable.server.get(f"/runs/{restartable.run}")["step"]
    assert sorted(kept) == list(range(last + 1))
    assert seen_records.seen
    assert not seen_records.changed
    assert {step: kept[step] for step in seen_records.seen} == seen_records.seen
    untouched = retrace(restartable.server, last)
    assert kept == untouched
    restartable.close()
    assert integrity(restartable.data) == "ok"


def retrace(server: Server, last: int) -> dict[int, bytes]:
    """Return the records of an equal run that nobody disturbed."""
    run = server.create(**CONFIG)
    while (step := server.get(f"/runs/{run}")["step"]) < last:
        server.command(run, "step", count=min(10_000, last - step))
    return all_records(server, run)


def test_a_killed_trainer_is_started_again_and_says_why(restartable: RestartableServer) -> None:
    with connect(f"ws://127.0.0.1:{restartable.port}/api/runs/{restartable.run}/stream") as stream:
        restartable.kill_trainer()
        texts: list[str] = []
        while not any('"restarted"' in text for text in texts):
            message = stream.recv(timeout=20)
            texts += [message] if isinstance(message, str) else []
    assert "SIGKILL" in texts[-1]
    assert restartable.server.wait(restartable.run, "paused")["epoch"] == 2


def test_a_step_command_that_was_cut_short_is_finished_by_the_next_trainer(
    restartable: RestartableServer,
) -> None:
    restartable.server.command(restartable.run, "tune", pace=None)

    def step() -> None:
        answer = restartable.server.client.post(
            f"/api/runs/{restartable.run}/commands", json={"kind": "step", "count": 10_000}
        )
        statuses.append(answer.status_code)

    statuses: list[int] = []
    stepping = threading.Thread(target=step)
    stepping.start()
    while restartable.server.client.get(f"/api/runs/{restartable.run}").json()["step"] < 100:
        time.sleep(0.01)
    restartable.kill_trainer()
    stepping.join()
    assert statuses == [503]
    restartable.server.wait(restartable.run, "starting", "running")
    assert restartable.server.wait(restartable.run, "paused")["step"] == 10_000


def test_a_run_whose_trainer_is_killed_again_and_again_without_a_step_is_left_interrupted(
    restartable: RestartableServer,
) -> None:
    for _ in range(6):
        restartable.kill_trainer()
        state = restartable.server.wait(restartable.run, "interrupted", "starting")["state"]
        if state == "starting":
            state = restartable.server.wait(restartable.run, "paused", "interrupted")["state"]
    assert state == "interrupted"
    assert "SIGKILL" in restartable.server.get(f"/runs/{restartable.run}")["reason"]
    assert restartable.server.command(restartable.run, "step")["step"] == 1


def test_a_frozen_trainer_is_replaced_and_ended(restartable: RestartableServer) -> None:
    frozen = trainer_of(restartable.server)
    restartable.server.command(restartable.run, "step", count=5)
    frozen.send_signal(signal.SIGSTOP)
    restartable.server.wait(restartable.run, "starting", seconds=60)
    restartable.server.wait(restartable.run, "paused")
    assert restartable.server.command(restartable.run, "step", count=5)["step"] == 10
    psutil.wait_procs([frozen], timeout=20)
    assert not frozen.is_running() or frozen.status() == psutil.STATUS_ZOMBIE
    assert sorted(all_records(restartable.server, restartable.run)) == list(range(11))


def test_a_frozen_trainer_of_an_earlier_server_is_refused_when_it_wakes_up_and_ends(
    restartable: RestartableServer,
) -> None:
    frozen = trainer_of(restartable.server)
    restartable.server.command(restartable.run, "step", count=5)
    restartable.kill_server()
    restartable.server.wait(restartable.run, "paused")
    frozen.send_signal(signal.SIGSTOP)
    try:
        restartable.server.wait(restartable.run, "starting", seconds=60)
        restartable.server.wait(restartable.run, "paused")
        assert restartable.server.command(restartable.run, "step", count=5)["step"] == 10
    finally:
        frozen.send_signal(signal.SIGCONT)
    psutil.wait_procs([frozen], timeout=20)
    assert not frozen.is_running() or frozen.status() == psutil.STATUS_ZOMBIE
    assert sorted(all_records(restartable.server, restartable.run)) == list(range(11))


def test_a_trainer_outlives_its_server_and_goes_on_with_the_next(
    restartable: RestartableServer,
) -> None:
    restartable.server.command(restartable.run, "play")
    restartable.ready_again()
    trainer = trainer_of(restartable.server)
    restartable.kill_server()
    restartable.ready_again()
    assert trainer_of(restartable.server).pid == trainer.pid
    assert restartable.server.get(f"/runs/{restartable.run}")["epoch"] == 1
