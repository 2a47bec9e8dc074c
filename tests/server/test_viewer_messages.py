"""What viewers send: bad messages and broken frames end that connection alone, with a reason.

Covers api/stream.py.
"""

import json
from contextlib import suppress

import pytest

from livegrad.protocol import (
    HEADER,
    MAGIC,
    MAX_TRAINER_MESSAGE_BYTES,
    MAX_VIEWER_MESSAGE_BYTES,
    VERSION,
)
from tests.running import Server
from tests.server import raw
from tests.server.closing import ends, how_it_closed, view


@pytest.fixture
def run(module_server: Server) -> str:
    return str(module_server.get("/runs")[-1]["id"])


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
def test_an_invalid_acknowledgement_closes_with_a_reason(
    module_server: Server, run: str, message: str | bytes
) -> None:
    with view(module_server, run) as socket:
        code, reason = how_it_closed(socket, message)
        assert code == 1008
        assert reason.startswith("expected")


@pytest.mark.parametrize("step", [-1, 0, 10**15, 10**3000])
def test_an_acknowledgement_of_any_step_is_taken(
    module_server: Server, run: str, step: int
) -> None:
    with view(module_server, run, "?flow=ack") as socket:
        assert how_it_closed(socket, json.dumps({"kind": "ack", "step": step}), "{}")[0] == 1008


def padded(length: int) -> str:
    ack = '{"kind": "ack", "step": 1}'
    return ack + " " * (length - len(ack))


TOO_LARGE = {
    "text": padded(MAX_VIEWER_MESSAGE_BYTES + 1),
    "bytes": bytes(MAX_VIEWER_MESSAGE_BYTES + 1),
    "letters of two bytes": "é" * (MAX_VIEWER_MESSAGE_BYTES // 2 + 1),
}


@pytest.mark.parametrize("message", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_message_that_is_too_large_closes_with_1009(
    module_server: Server, run: str, message: str | bytes
) -> None:
    with view(module_server, run) as socket:
        assert how_it_closed(socket, message)[0] == 1009


def test_a_message_larger_than_any_is_not_even_read(module_server: Server, run: str) -> None:
    with view(module_server, run) as socket:
        assert ends(socket, bytes(MAX_TRAINER_MESSAGE_BYTES + 1))


def test_a_message_in_fragments_is_limited_as_a_whole(module_server: Server, run: str) -> None:
    with view(module_server, run) as socket:
        assert how_it_closed(socket, iter([" " * 1000] * 5))[0] == 1009


def test_a_message_of_the_limit_is_read(module_server: Server, run: str) -> None:
    with view(module_server, run) as socket:
        assert how_it_closed(socket, padded(MAX_VIEWER_MESSAGE_BYTES), "{}")[0] == 1008


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
def test_a_broken_frame_ends_that_connection_alone(
    module_server: Server, run: str, data: bytes
) -> None:
    with (
        view(module_server, run) as other,
        raw.join(module_server.port, f"/api/runs/{run}/stream") as connection,
    ):
        connection.sendall(data)
        with suppress(ConnectionResetError):
            while connection.recv(65536):
                pass
        other.ping().wait(10)
    assert module_server.get("/health")["status"] == "ok"


@pytest.mark.parametrize("run", ["nope", "%F0%9F%98%80" * 60, "%00", "%ff", "x" * 4000])
def test_an_unknown_run_closes_with_4404_and_says_so(module_server: Server, run: str) -> None:
    with view(module_server, run) as socket:
        event = json.loads(socket.recv(timeout=10))
        assert event["kind"] == "error"
        assert "no run" in event["detail"]
        code, reason = how_it_closed(socket)
        assert code == 4404
        assert "no run" in reason
