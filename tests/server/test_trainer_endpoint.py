"""The trainer's websocket.

Opened by the run's own secret alone; who says something wrong there is shown out.

Covers api/trainers.py.
"""

import hashlib
import json
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from livegrad.protocol import HEADER, MAGIC, MAX_TRAINER_MESSAGE_BYTES, VERSION
from tests.running import Server, serving
from tests.server.closing import ends, how_it_closed, view

SECRET = "the-secret-of-one-run-alone"


@dataclass(frozen=True, slots=True)
class TrainerEndpoint:
    """A server whose first run has a secret that we know, and no trainer.

    `frame` is its next record.
    """

    server: Server
    run: str
    other: str
    hello: dict[str, Any]
    record_bytes: int

    def connect(
        self, secret: str = SECRET, run: str | None = None, scheme: str = "Bearer"
    ) -> ClientConnection:
        headers = {"Authorization": f"{scheme} {secret}"} if scheme else {}
        url = f"{self.server.stream_url}/api/runs/{run or self.run}/trainer"
        return connect(url, additional_headers=headers, proxy=None, compression=None, max_size=None)

    @contextmanager
    def join(self) -> Iterator[ClientConnection]:
        """Connect as the run's trainer."""
        with self.connect() as socket:
            socket.send(json.dumps(self.hello))
            assert json.loads(socket.recv(timeout=10))["kind"] == "welcome"
            yield socket

    def frame(self, step: int) -> bytes:
        head = HEADER.pack(MAGIC, VERSION, 1, 1, step, self.hello["epoch"], 0, time.time())
        return head + bytes(self.record_bytes)

    def assert_unharmed(self) -> None:
        assert self.server.get("/health")["status"] == "ok"
        before = self.server.get(f"/runs/{self.other}")["step"]
        assert self.server.command(self.other, "step")["step"] == before + 1
        assert "Traceback" not in self.server.log_text(), self.server.log_text()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainerEndpoint]:
    data = tmp_path_factory.mktemp("endpoint")
    with serving(data) as first:
        other = first.get("/runs")[0]["id"]
        run = first.create(max_steps=1_000_000)
        first.command(run, "step", count=5)
        with view(first, run) as socket:
            hello = json.loads(socket.recv(timeout=10))
    with sqlite3.connect(data / "livegrad.sqlite3") as db:
        digest = hashlib.sha256(SECRET.encode()).hexdigest()
        db.execute("UPDATE runs SET secret = ?, epoch = 7 WHERE id = ?", (digest, run))
    db.close()
    greeting = {"kind": "hello", "version": 1, "epoch": 7, "columns": hello["columns"], "data": {}}
    with serving(data, "--token", "a-token-for-viewers-only") as second:
        yield TrainerEndpoint(second, run, other, greeting, hello["record_bytes"])


@pytest.mark.parametrize(
    ("secret", "scheme"),
    [
        ("", "Bearer"),
        ("wrong", "Bearer"),
        (SECRET[:-1], "Bearer"),
        (SECRET + "x", "Bearer"),
        (SECRET.upper(), "Bearer"),
        (hashlib.sha256(SECRET.encode()).hexdigest(), "Bearer"),
        ("a-token-for-viewers-only", "Bearer"),
        (SECRET, "Basic"),
        (SECRET, ""),
    ],
)
def test_only_the_runs_own_secret_opens_the_trainer_endpoint(
    endpoint: TrainerEndpoint, secret: str, scheme: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        endpoint.connect(secret, scheme=scheme)
    assert refused.value.response.status_code == 403


def test_another_runs_secret_is_refused(endpoint: TrainerEndpoint) -> None:
    with pytest.raises(InvalidStatus) as refused:
        endpoint.connect(run=endpoint.other)
    assert refused.value.response.status_code == 403


def test_a_run_that_is_not_there_has_no_trainer_endpoint(endpoint: TrainerEndpoint) -> None:
    with pytest.raises(InvalidStatus) as refused:
        endpoint.connect(run="nope")
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("epoch", [6, 8, 0, -1, 2**70])
def test_another_epoch_is_disconnected(endpoint: TrainerEndpoint, epoch: int) -> None:
    with endpoint.connect() as socket:
        assert how_it_closed(socket, json.dumps(endpoint.hello | {"epoch": epoch}))[0] == 4409


BAD_HELLOS: dict[str, Any] = {
    "garbage": "hello",
    "bytes": b"\0" * 64,
    "a list": "[]",
    "brackets without end": "[" * 100_000,
    "another kind": '{"kind": "failed", "reason": "x"}',
    "an unknown kind": '{"kind": "import", "module": "os"}',
    "no epoch": '{"kind": "hello", "columns": [], "data": {}}',
    "an epoch in words": '{"kind": "hello", "epoch": "7", "columns": 1, "data": []}',
    "half a surrogate pair": r'{"kind": "\ud800"}',
}


@pytest.mark.parametrize("message", BAD_HELLOS.values(), ids=BAD_HELLOS)
def test_whoever_does_not_say_hello_is_disconnected(
    endpoint: TrainerEndpoint, message: str | bytes
) -> None:
    with endpoint.connect() as socket:
        assert how_it_closed(socket, message)[0] == 1008
    endpoint.assert_unharmed()


STATE = {
    "kind": "state",
    "state": "paused",
    "phase": "step",
    "step": 5,
    "loss": 1.0,
    "validation_loss": 1.0,
    "lr": 0.001,
    "pace": None,
    "grad_states": ["fresh"] * 4,
}
BAD_REPORTS: dict[str, Any] = {
    "garbage": "state",
    "a number": "1",
    "brackets without end": "{" * 100_000,
    "no fields": {"kind": "state"},
    "a state that is none": STATE | {"state": "asleep"},
    "a phase that is none": STATE | {"phase": "sleep"},
    "a negative step": STATE | {"step": -1},
    "a step beyond all": STATE | {"step": 2**64},
    "lr that is NaN": STATE | {"lr": float("nan")},
    "lr in words": STATE | {"lr": "fast"},
    "a pace in words": STATE | {"pace": "fast"},
    "too few grad_states": STATE | {"grad_states": ["fresh"]},
    "grad_states that are none": STATE | {"grad_states": ["warm"] * 4},
    "an answer without an id": {"kind": "answer", "step": 1},
    "a failure without a reason": {"kind": "failed"},
    "a reason without end": {"kind": "failed", "reason": "x" * 100_000},
    "its own end": {"kind": "ended", "reason": "x", "failed": False},
}


@pytest.mark.parametrize("report", BAD_REPORTS.values(), ids=BAD_REPORTS)
def test_an_invalid_report_disconnects_that_trainer_alone(
    endpoint: TrainerEndpoint, report: Any
) -> None:
    with endpoint.join() as socket:
        assert (
            how_it_closed(socket, report if isinstance(report, str) else json.dumps(report))[0]
            == 1008
        )
    endpoint.assert_unharmed()


def test_an_answer_that_nobody_waits_for_is_let_pass(endpoint: TrainerEndpoint) -> None:
    answer = {
        "kind": "answer",
        "id": 99,
        "applied_at_step": 5,
        "state": "paused",
        "phase": "step",
        "step": 5,
    }
    with endpoint.join() as socket:
        assert how_it_closed(socket, json.dumps(answer), "garbage")[0] == 1008
    endpoint.assert_unharmed()


def test_a_message_larger_than_any_trainers_is_not_read(endpoint: TrainerEndpoint) -> None:
    with endpoint.join() as socket:
        assert ends(socket, bytes(MAX_TRAINER_MESSAGE_BYTES + 1))
    endpoint.assert_unharmed()


def test_mutated_frames_end_that_trainer_at_most(endpoint: TrainerEndpoint) -> None:
    chance = random.Random(2026)
    codes = set()
    for _ in range(60):
        data = bytearray(endpoint.frame(6))
        match chance.randrange(4):
            case 0:
                data[chance.randrange(4)] ^= 1 << chance.randrange(8)  # magic, version, kind
            case 1:
                del data[chance.randrange(1, len(data)) :]
            case 2:
                data += bytes(chance.randrange(1, 100))
            case 3:
                # count, epoch, time
                data[chance.choice([*range(4, 8), *range(16, 20), 30, 31])] ^= 0xFF
        with endpoint.join() as socket:
            codes.add(how_it_closed(socket, bytes(data), "garbage")[0])
    assert codes <= {1008, 4409}
    endpoint.assert_unharmed()


def test_a_time_that_is_not_a_number_is_no_frame(endpoint: TrainerEndpoint) -> None:
    data = bytearray(endpoint.frame(6))
    data[24:32] = b"\0\0\0\0\0\0\xf8\x7f"
    with endpoint.join() as socket:
        code, reason = how_it_closed(socket, bytes(data))
        assert code == 1008
        assert "time" in reason
    endpoint.assert_unharmed()


def test_steps_that_were_left_out_are_told_and_harm_no_other_run(endpoint: TrainerEndpoint) -> None:
    with endpoint.join() as socket:
        how_it_closed(socket, endpoint.frame(2**63))
    endpoint.server.wait(endpoint.run, "failed")
    endpoint.assert_unharmed()
