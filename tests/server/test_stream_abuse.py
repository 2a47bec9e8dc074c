"""Both websockets under bad messages, bad manners and sudden ends. The server stays, and serves the others."""

import hashlib
import json
import random
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from livegrad.cli import listen
from livegrad.meeting import MAX_VIEWERS
from livegrad.protocol import HEADER, MAGIC, MAX_TRAINER_MESSAGE_BYTES, MAX_VIEWER_MESSAGE_BYTES, VERSION
from livegrad.settings import read
from tests.running import Server, serving
from tests.server import raw

SECRET = "the-secret-of-one-run-alone"


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one run, at step 0."""
    with serving(tmp_path_factory.mktemp("room")) as running:
        running.wait(running.get("/runs")[0]["id"], "paused")
        yield running


@pytest.fixture
def run(room: Server) -> str:
    return str(room.get("/runs")[-1]["id"])


def view(server: Server, run: str, query: str = "") -> ClientConnection:
    return connect(
        f"{server.stream_url}/api/runs/{run}/stream{query}", proxy=None, compression=None, max_size=None
    )


def how_it_closed(socket: ClientConnection) -> tuple[int, str]:
    """Read until the server closes; return its code and reason."""
    with suppress(ConnectionClosed):
        while True:
            socket.recv(timeout=10)
    close = socket.protocol.close_rcvd
    assert close is not None, "the connection was cut, not closed"
    return close.code, close.reason


# -- what viewers send

NO_ACKS = {
    "nothing": "",
    "a word": "ack",
    "an empty object": "{}",
    "a list": "[]",
    "null": "null",
    "no step": '{"kind": "ack"}',
    "a text for a step": '{"kind": "ack", "step": "1"}',
    "a fraction": '{"kind": "ack", "step": 1.5}',
    "true": '{"kind": "ack", "step": true}',
    "NaN": '{"kind": "ack", "step": NaN}',
    "an unknown kind": '{"kind": "play"}',
    "a list for a kind": '{"kind": ["ack"], "step": 1}',
    "cut off": '{"kind": "ack", "step": 1',
    "brackets without end": "[" * 4000,
    "a byte": b"\0",
    "an acknowledgement in bytes": b'{"kind": "ack", "step": 1}',
    "a frame": HEADER.pack(MAGIC, VERSION, 1, 1, 0, 1, 0, 0.0) + bytes(332),
}


@pytest.mark.parametrize("message", NO_ACKS.values(), ids=NO_ACKS)
def test_what_is_no_acknowledgement_closes_with_a_reason(
    room: Server, run: str, message: str | bytes
) -> None:
    with view(room, run) as socket:
        socket.send(message)
        code, reason = how_it_closed(socket)
        assert code == 1008
        assert reason.startswith("expected")


@pytest.mark.parametrize("step", [-1, 0, 10**15, 10**3000])
def test_an_acknowledgement_of_any_step_is_taken(room: Server, run: str, step: int) -> None:
    with view(room, run, "?flow=ack") as socket:
        socket.send(json.dumps({"kind": "ack", "step": step}))
        socket.send("{}")
        assert how_it_closed(socket)[0] == 1008


def padded(length: int) -> str:
    ack = '{"kind": "ack", "step": 1}'
    return ack + " " * (length - len(ack))


TOO_LARGE = {
    "text": padded(MAX_VIEWER_MESSAGE_BYTES + 1),
    "bytes": bytes(MAX_VIEWER_MESSAGE_BYTES + 1),
    "letters of two bytes": "é" * (MAX_VIEWER_MESSAGE_BYTES // 2 + 1),
}


@pytest.mark.parametrize("message", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_message_that_is_too_large_closes_with_1009(room: Server, run: str, message: str | bytes) -> None:
    with view(room, run) as socket:
        with suppress(ConnectionClosed):
            socket.send(message)
        assert how_it_closed(socket)[0] == 1009


def ends(socket: ClientConnection, message: bytes) -> bool:
    """Send `message`; return whether the connection ends. With so much unread, the close may not come through."""
    try:
        socket.send(message)
        while True:
            socket.recv(timeout=10)
    except ConnectionClosed:
        return True
    except TimeoutError:
        return False


def test_a_message_larger_than_any_is_not_even_read(room: Server, run: str) -> None:
    with view(room, run) as socket:
        assert ends(socket, bytes(MAX_TRAINER_MESSAGE_BYTES + 1))


def test_a_message_in_fragments_is_limited_as_a_whole(room: Server, run: str) -> None:
    with view(room, run) as socket:
        socket.send(iter([" " * 1000] * 5))
        assert how_it_closed(socket)[0] == 1009


def test_a_message_of_the_limit_is_read(room: Server, run: str) -> None:
    with view(room, run) as socket:
        socket.send(padded(MAX_VIEWER_MESSAGE_BYTES))
        socket.send("{}")
        assert how_it_closed(socket)[0] == 1008


BROKEN = {
    "not masked": raw.frame(1, b"{}", masked=False),
    "an unknown opcode": raw.frame(0xF, b""),
    "reserved bits": raw.frame(1, b"{}", first=0xF0),
    "a continuation of nothing": raw.frame(0, b"{}"),
    "a ping in fragments": raw.frame(9, b"", first=0),
    "a ping that is too long": raw.frame(9, bytes(126)),
    "text that is not UTF-8": raw.frame(1, b"\xff\xfe"),
    "a close code of one byte": raw.frame(8, b"\x03"),
    "a close code that is none": raw.frame(8, b"\x00\x00"),
    "no websocket at all": b"GET / HTTP/1.1\r\n\r\n",
    "an endless frame": b"\x81\xff" + b"\x7f" + b"\xff" * 7 + b"\0\0\0\0" + b"x" * 1000,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_frame_ends_that_connection_alone(room: Server, run: str, data: bytes) -> None:
    with view(room, run) as other, raw.join(room.port, f"/api/runs/{run}/stream") as connection:
        connection.sendall(data)
        with suppress(ConnectionResetError):
            while connection.recv(65536):
                pass
        other.ping().wait(10)
    assert room.get("/health")["status"] == "ok"


@pytest.mark.parametrize("run", ["nope", "%F0%9F%98%80" * 60, "%00", "%ff", "x" * 4000])
def test_an_unknown_run_closes_with_4404_and_says_so(room: Server, run: str) -> None:
    with view(room, run) as socket:
        event = json.loads(socket.recv(timeout=10))
        assert event["kind"] == "error"
        assert "no run" in event["detail"]
        code, reason = how_it_closed(socket)
        assert code == 4404
        assert "no run" in reason


# -- how many there are, and how they leave


def crowd(room: Server, run: str, stack: ExitStack, count: int) -> list[socket.socket]:
    path = f"/api/runs/{run}/stream"
    return [stack.enter_context(raw.join(room.port, path)) for _ in range(count)]


def assert_full(room: Server, run: str) -> None:
    with view(room, run) as socket:
        event = json.loads(socket.recv(timeout=10))
        assert event["kind"] == "error"
        assert str(MAX_VIEWERS) in event["detail"]
        assert how_it_closed(socket)[0] == 4429


def until_one_may_join(room: Server, run: str) -> None:
    end = time.monotonic() + 10
    while True:
        with view(room, run) as socket:
            if json.loads(socket.recv(timeout=10))["kind"] == "hello":
                return
        assert time.monotonic() < end, "no place became free"
        time.sleep(0.02)


def hang_up(connection: socket.socket) -> None:
    """Leave without a word: the connection is reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def test_a_run_has_at_most_100_viewers_and_a_place_is_free_again_at_once(room: Server, run: str) -> None:
    other = room.create(name="another")
    with ExitStack() as stack:
        viewers = crowd(room, run, stack, MAX_VIEWERS)
        assert_full(room, run)
        with view(room, other) as another:
            assert json.loads(another.recv(timeout=10))["kind"] == "hello"
        viewers[0].sendall(raw.frame(8, b"\x03\xe8"))
        until_one_may_join(room, run)
        hang_up(viewers[1])
        until_one_may_join(room, run)
        viewers[2].shutdown(socket.SHUT_WR)
        until_one_may_join(room, run)
    room.client.delete(f"/api/runs/{other}")


def test_sudden_ends_leave_nothing_behind(room: Server, run: str) -> None:
    process = psutil.Process(room.process.pid)
    room.get("/health")
    before = process.num_fds()
    for _ in range(3):
        with ExitStack() as stack:
            for number, connection in enumerate(crowd(room, run, stack, MAX_VIEWERS)):
                if number % 2:
                    connection.sendall(raw.frame(1, b'{"kind": "a', first=0))  # a message cut off
                hang_up(connection)
        until_one_may_join(room, run)
    end = time.monotonic() + 10
    while process.num_fds() > before:
        assert time.monotonic() < end, f"{process.num_fds()} files are open, {before} were"
        time.sleep(0.02)
    with ExitStack() as stack:
        crowd(room, run, stack, MAX_VIEWERS)
        assert_full(room, run)


def newest(socket: ClientConnection, seconds: float) -> list[int]:
    """Read for a while; return the last step of each frame."""
    steps = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = socket.recv(timeout=10)
        if isinstance(data, bytes):
            _, _, _, count, first, *_ = HEADER.unpack_from(data)
            steps.append(first + count - 1)
            socket.send(json.dumps({"kind": "ack", "step": steps[-1]}))
    return steps


@pytest.mark.slow
def test_viewers_that_never_read_cost_little_and_hold_nobody_up(room: Server) -> None:
    run = room.create(pace=None, max_steps=10_000_000)
    process = psutil.Process(room.process.pid)
    with ExitStack() as stack:
        for query in ("", "?flow=ack"):
            for _ in range(5):
                stack.enter_context(raw.join(room.port, f"/api/runs/{run}/stream{query}"))
        reader = stack.enter_context(view(room, run, "?flow=ack"))
        room.command(run, "play")
        newest(reader, 1.0)
        before = process.memory_info().rss
        steps = newest(reader, 4.0)
        grown = process.memory_info().rss - before
        room.command(run, "pause")
    assert steps == sorted(steps)
    assert len(steps) > 40
    assert steps[-1] - steps[0] > 1000
    assert grown < 32 * 1024 * 1024
    room.client.delete(f"/api/runs/{run}")


def test_peers_that_are_gone_without_a_word_are_noticed_in_time(tmp_path: Path) -> None:
    with (
        listen(read(["--port", "0", "--data", str(tmp_path)], {})) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0


def flood(connection: socket.socket, data: bytes, times: int) -> int:
    """Send `data` again and again; return how often it was taken."""
    for number in range(times):
        try:
            connection.sendall(data)
        except OSError:
            return number
    return times


def test_pings_whose_answers_are_never_read_are_cut_off(room: Server, run: str) -> None:
    process = psutil.Process(room.process.pid)
    before = process.memory_info().rss
    with raw.join(room.port, f"/api/runs/{run}/stream") as connection:
        assert flood(connection, raw.frame(9, bytes(125)) * 2000, times=400) < 400  # of 100 MB
    assert process.memory_info().rss - before < 32 * 1024 * 1024
    assert room.get("/health")["status"] == "ok"


# -- the trainer's door


@dataclass(frozen=True, slots=True)
class Door:
    """A server whose first run has a secret that we know, and no trainer. `frame` is its next record."""

    server: Server
    run: str
    other: str
    hello: dict[str, Any]
    record_bytes: int

    def knock(self, secret: str = SECRET, run: str | None = None, scheme: str = "Bearer") -> ClientConnection:
        headers = {"Authorization": f"{scheme} {secret}"} if scheme else {}
        url = f"{self.server.stream_url}/api/runs/{run or self.run}/trainer"
        return connect(url, additional_headers=headers, proxy=None, compression=None, max_size=None)

    @contextmanager
    def enter(self) -> Iterator[ClientConnection]:
        """Come in as the run's trainer."""
        with self.knock() as socket:
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
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    data = tmp_path_factory.mktemp("door")
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
        yield Door(second, run, other, greeting, hello["record_bytes"])


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
def test_only_the_runs_own_secret_opens_the_trainers_door(door: Door, secret: str, scheme: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        door.knock(secret, scheme=scheme)
    assert refused.value.response.status_code == 403


def test_another_runs_secret_does_not_open_it(door: Door) -> None:
    with pytest.raises(InvalidStatus) as refused:
        door.knock(run=door.other)
    assert refused.value.response.status_code == 403


def test_there_is_no_door_to_a_run_that_is_not_there(door: Door) -> None:
    with pytest.raises(InvalidStatus) as refused:
        door.knock(run="nope")
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("epoch", [6, 8, 0, -1, 2**70])
def test_another_epoch_is_shown_out(door: Door, epoch: int) -> None:
    with door.knock() as socket:
        socket.send(json.dumps(door.hello | {"epoch": epoch}))
        assert how_it_closed(socket)[0] == 4409


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
def test_whoever_does_not_say_hello_is_shown_out(door: Door, message: str | bytes) -> None:
    with door.knock() as socket:
        socket.send(message)
        assert how_it_closed(socket)[0] == 1008
    door.assert_unharmed()


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
def test_a_report_that_is_none_ends_that_trainer_alone(door: Door, report: Any) -> None:
    with door.enter() as socket:
        socket.send(report if isinstance(report, str) else json.dumps(report))
        assert how_it_closed(socket)[0] == 1008
    door.assert_unharmed()


def test_an_answer_that_nobody_waits_for_is_let_pass(door: Door) -> None:
    answer = {"kind": "answer", "id": 99, "applied_at_step": 5, "state": "paused", "phase": "step", "step": 5}
    with door.enter() as socket:
        socket.send(json.dumps(answer))
        socket.send("garbage")
        assert how_it_closed(socket)[0] == 1008
    door.assert_unharmed()


def test_a_message_larger_than_any_trainers_is_not_read(door: Door) -> None:
    with door.enter() as socket:
        assert ends(socket, bytes(MAX_TRAINER_MESSAGE_BYTES + 1))
    door.assert_unharmed()


def test_mutated_frames_end_that_trainer_at_most(door: Door) -> None:
    chance = random.Random(2026)
    codes = set()
    for _ in range(60):
        data = bytearray(door.frame(6))
        match chance.randrange(4):
            case 0:
                data[chance.randrange(4)] ^= 1 << chance.randrange(8)  # magic, version, kind
            case 1:
                del data[chance.randrange(1, len(data)) :]
            case 2:
                data += bytes(chance.randrange(1, 100))
            case 3:
                data[chance.choice([*range(4, 8), *range(16, 20), 30, 31])] ^= 0xFF  # count, epoch, time
        with door.enter() as socket:
            socket.send(bytes(data))
            socket.send("garbage")  # closes for certain
            codes.add(how_it_closed(socket)[0])
    assert codes <= {1008, 4409}
    door.assert_unharmed()


def test_a_time_that_is_not_a_number_is_no_frame(door: Door) -> None:
    data = bytearray(door.frame(6))
    data[24:32] = b"\0\0\0\0\0\0\xf8\x7f"
    with door.enter() as socket:
        socket.send(bytes(data))
        code, reason = how_it_closed(socket)
        assert code == 1008
        assert "time" in reason
    door.assert_unharmed()


def test_steps_that_were_left_out_are_told_and_harm_no_other_run(door: Door) -> None:
    with door.enter() as socket:
        socket.send(door.frame(2**63))
        how_it_closed(socket)
    door.server.wait(door.run, "failed")
    door.assert_unharmed()
