"""Where processes cannot be forked they are spawned.

The whole product works, and a new run finds a process waiting.
"""

import io
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from tests.running import Server, serving
from tests.server.trainers import trainers_of
from tests.viewer import record_bytes, stored

SPAWN = {"LIVEGRAD_START_METHOD": "spawn"}


def spawned(server: Server) -> list[psutil.Process]:
    """Return its processes, the one that waits among them."""
    return list(server.descendants())


def wait_for_spare(server: Server, trainers: int) -> None:
    end = time.monotonic() + 60
    while len(spawned(server)) != trainers + 1:
        assert time.monotonic() < end, spawned(server)
        time.sleep(0.05)


@pytest.mark.slow
def test_a_run_is_trained_stopped_killed_and_resumed(tmp_path: Path) -> None:
    with serving(tmp_path, environment=SPAWN) as server:
        default = server.get("/runs")[0]["id"]
        server.wait(default, "paused")
        run = server.create(pace=None, optimizer={"kind": "adam"}, max_steps=1_000_000)
        assert not any("forkserver" in " ".join(process.cmdline()) for process in spawned(server))
        wait_for_spare(server, trainers=2)
        assert server.command(run, "step", count=20)["step"] == 20
        assert server.command(run, "phase")["phase"] == "zero_grad"
        assert server.command(run, "tune", lr=0.002, pace=100)["state"] == "paused"
        assert server.command(run, "play")["state"] == "running"
        paused_at = server.command(run, "pause")["step"]
        check_snapshot(server, run)
        kill_trainer(server, run)
        server.wait(run, "paused")
        assert server.command(run, "step", count=5)["step"] == paused_at + 5
        before = stored(server, run, record_bytes(server, run))
        assert server.stop() == 0
    with serving(tmp_path, environment=SPAWN) as server:
        assert stored(server, run, record_bytes(server, run)) == before
        assert server.command(run, "step", count=2)["step"] == paused_at + 7
        server.client.delete(f"/api/runs/{run}")
        assert server.get("/health")["torch"] == "ready"
        left = server.descendants()
        assert server.stop() == 0
        assert not psutil.wait_procs(left, timeout=20)[1]


def check_snapshot(server: Server, run: str) -> None:
    snapshot = server.get(f"/runs/{run}/parameters")
    answer = server.client.get(f"/api/runs/{run}/parameters", params={"format": "state_dict"})
    assert answer.status_code == 200, answer.text
    loaded = torch.load(io.BytesIO(answer.content), weights_only=True)
    for parameter in snapshot["parameters"]:
        shown = np.array(parameter["value"], np.float32)
        assert shown.tobytes() == loaded[parameter["name"]].numpy().tobytes()


def kill_trainer(server: Server, run: str) -> None:
    """Kill every trainer: the run's is among them."""
    epoch = server.get(f"/runs/{run}")["epoch"]
    for trainer in trainers_of(server.port):
        trainer.kill()
    end = time.monotonic() + 60
    while server.get(f"/runs/{run}")["epoch"] == epoch:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_waiting_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path, environment=SPAWN) as server:
        server.wait(server.get("/runs")[0]["id"], "paused")
        wait_for_spare(server, trainers=1)
        [spare] = [p for p in spawned(server) if p not in trainers_of(server.port)]
        spare.kill()
        run = server.create(pace=None)
        assert server.command(run, "step")["step"] == 1
