"""A trainer that dies takes nobody with it, says why, and leaves its history.

One that was replaced cannot write.
"""

import hashlib
import json
import os
import re
import sqlite3
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from livegrad.lifecycle.states import State
from tests.running import Server, serving
from tests.viewer import stored, viewing


def create(server: Server, **config: Any) -> tuple[str, psutil.Process]:
    """Make a run; return it with its trainer's process."""
    for other in server.get("/runs"):
        server.wait(other["id"], *(set(State) - {State.STARTING}))
    before = server.descendants()
    run = server.create(pace=None, **config)
    [trainer] = server.descendants() - before
    return run, trainer


def test_a_killed_trainer_takes_nobody_with_it_and_its_run_retraces_what_it_would_have_been(
    server: Server,
) -> None:
    adam = {"optimizer": {"kind": "adam"}, "batch_size": 2}
    other, _ = create(server, max_steps=10_000_000)
    server.command(other, "play")
    whole, _ = create(server, **adam)
    server.command(whole, "step", count=80)
    run, trainer = create(server, **adam)
    server.command(run, "step", count=40)
    before = server.client.get(f"/api/runs/{run}/records").content
    with viewing(server, run) as viewer:
        trainer.kill()
        event = viewer.take_until(lambda m: isinstance(m, dict) and m["kind"] == "error")
        assert isinstance(event, dict)
        assert "its process was killed by SIGKILL" in event["detail"]
        length = viewer.hello["record_bytes"]
    server.wait(run, "paused")
    assert server.client.get(f"/api/runs/{run}/records").content == before
    at = server.get(f"/runs/{other}")["step"]
    assert server.command(other, "pause")["step"] > at
    assert server.command(run, "step", count=40)["step"] == 80
    assert stored(server, run, length) == stored(server, whole, length)
    assert (server.get(f"/runs/{run}")["epoch"], server.get(f"/runs/{other}")["epoch"]) == (2, 1)
    for each in (run, whole, other):
        server.client.delete(f"/api/runs/{each}")


def test_a_command_that_waits_for_a_trainer_that_dies_is_told_so(server: Server) -> None:
    run, trainer = create(server)
    trainer.suspend()
    trainer_dies = signal_later(trainer)
    answer = server.client.post(f"/api/runs/{run}/commands", json={"kind": "step", "count": 10_000})
    trainer_dies()
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "trainer" in answer.json()["detail"]
    server.client.delete(f"/api/runs/{run}")


def signal_later(trainer: psutil.Process) -> Callable[[], None]:
    """Kill the process half a second from now; what is returned waits for that."""
    timer = threading.Timer(0.5, trainer.kill)
    timer.start()
    return timer.join


def test_a_frozen_trainer_answers_once_it_thaws(server: Server) -> None:
    run, trainer = create(server)
    trainer.suspend()
    server.get("/health")
    trainer.resume()
    assert server.command(run, "step", count=3)["step"] == 3
    server.client.delete(f"/api/runs/{run}")


def change_log(data: Path, statement: str, *values: Any) -> None:
    """Change a stopped server's run log."""
    with sqlite3.connect(data / "livegrad.sqlite3") as log:
        log.execute(statement, values)
    log.close()


@pytest.mark.slow
def test_a_trainer_that_fails_by_an_error_leaves_a_failed_run_with_its_reason(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as first:
        run = first.create(pace=None)
        first.command(run, "step", count=5)
        first.stop()
    config = json.dumps({"hidden": 12, "optimizer": {"kind": "sgd"}})  # the records are of 13
    change_log(tmp_path, "UPDATE runs SET config = ? WHERE id = ?", config, run)
    with serving(tmp_path) as second:
        answer = second.client.post(f"/api/runs/{run}/commands", json={"kind": "play"})
        assert answer.status_code in (409, 503), answer.text
        found = second.get(f"/runs/{run}")
        assert (found["state"], found["step"]) == ("failed", 5)
        # What is built does not take the record: before there was a connection, over which to tell
        # it.
        assert re.match(r"its process failed: RuntimeError: .*\b12\b.*\b13\b", found["reason"]), (
            found
        )
        assert second.client.get(f"/api/runs/{run}/parameters?step=5").status_code == 200
        again = second.client.post(f"/api/runs/{run}/commands", json={"kind": "play"})
        assert again.status_code == 409
        assert "'play'" in again.json()["detail"]
        assert "'failed'" in again.json()["detail"]


@pytest.mark.parametrize(
    "error",
    [
        "ModuleNotFoundError(\"No module named 'torch'\")",
        'OSError("libtorch_cpu.so: cannot open shared object file")',  # it would end a forkserver
    ],
)
def test_a_torch_that_cannot_be_loaded_is_the_reason_of_every_run(
    tmp_path: Path, error: str
) -> None:
    (tmp_path / "torch.py").write_text(f"raise {error}\n")
    told = error.replace('("', ": ").removesuffix('")')
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    with serving(tmp_path / "data", environment={"PYTHONPATH": path}) as running:
        for run in (running.get("/runs")[0]["id"], running.create()):
            found = running.wait(run, "failed", "interrupted", "paused")
            assert (found["state"], found["reason"]) == ("failed", f"its process failed: {told}")
        assert running.get("/health")["status"] == "ok"
        assert running.stop() == 0


def as_trainer(server: Server, run: str, secret: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {secret}"}
    return connect(
        f"{server.stream_url}/api/runs/{run}/trainer", additional_headers=headers, proxy=None
    )


def how_it_closed(socket: ClientConnection, message: str | bytes) -> int | None:
    """Send a message; return the code with which the server closes the connection."""
    try:
        socket.send(message)
        socket.recv(timeout=10)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None
    return None


@pytest.mark.slow
def test_a_trainer_that_was_replaced_can_write_no_more(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        run = first.create(pace=None)
        first.command(run, "step", count=5)
        with viewing(first, run) as viewer:
            length, columns = viewer.hello["record_bytes"], viewer.columns
        first.stop()
    secret = "the key of a trainer that was frozen"
    change_log(
        tmp_path,
        "UPDATE runs SET secret = ? WHERE id = ?",
        hashlib.sha256(secret.encode()).hexdigest(),
        run,
    )
    with serving(tmp_path) as second:
        epoch = second.get(f"/runs/{run}")["epoch"]
        hello = {
            "kind": "hello",
            "version": 1,
            "epoch": epoch,
            "pid": 1,
            "columns": columns,
            "data": {},
        }
        with as_trainer(second, run, secret) as old:
            old.send(json.dumps(hello))
            welcome = json.loads(old.recv(timeout=10))
            assert (welcome["kind"], welcome["step"]) == ("welcome", 5)
            second.command(run, "step", count=2)  # a new trainer takes over
            expected = stored(second, run, length)
            header = struct.pack("<HBBIQIId", 0x474C, 1, 1, 1, 8, epoch, 0, 0.0)
            assert how_it_closed(old, header + bytes(length)) == 4409
        with pytest.raises(InvalidStatus, match="403"):
            as_trainer(second, run, secret)
        assert stored(second, run, length) == expected
        assert second.command(run, "step")["step"] == 8
