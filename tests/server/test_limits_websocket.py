"""What a websocket may bring.

Floods end that connection alone, with 1008; honest peers and commands notice nothing.

Covers api/uvicorn_protocols.py.
"""

import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from livegrad.api import limits
from tests.running import Server, serving
from tests.server import raw, short_limits
from tests.server.attacks import FLOODS, close_code, flood, said
from tests.server.closing import how_it_closed, view
from tests.server.service_quality import measured_service

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def runs(module_server: Server) -> tuple[str, str]:
    """A run that trains at 60 steps a second, to be watched, and one that is paused, to be
    commanded.
    """
    watched, commanded = (
        module_server.create(pace=60, max_steps=10_000_000),
        module_server.create(max_steps=10_000_000),
    )
    module_server.command(watched, "play")
    return watched, commanded


@pytest.mark.alone
@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_is_closed_and_delays_nobody(
    module_server: Server, runs: tuple[str, str], kind: str
) -> None:
    process = psutil.Process(module_server.process.pid)
    before = process.memory_info().rss
    with measured_service(module_server, *runs) as service:
        time.sleep(0.5)
        codes = [close_code(flood(module_server.port, runs[1], kind)) for _ in range(3)]
        time.sleep(0.5)
    assert set(codes) <= {1008, None}  # a reset may overtake the last words
    assert 1008 in codes
    assert process.memory_info().rss - before < 32 * MIB
    assert service.longest_gap_secs < 1
    assert service.command_p99() < 1


def test_a_message_has_a_bounded_number_of_fragments(
    module_server: Server, runs: tuple[str, str]
) -> None:
    for count, code in ((limits.FRAGMENTS - 1, 1008), (limits.FRAGMENTS + 5, 1008)):
        with view(module_server, runs[1]) as viewer:
            viewer.send(iter(["x"] * count))
            found, why = how_it_closed(viewer)
        assert found == code
        assert ("fragments" in why) is (count > limits.FRAGMENTS)


def test_many_acknowledgements_after_a_stall_are_taken(
    module_server: Server, runs: tuple[str, str]
) -> None:
    ack = raw.frame(1, b'{"kind": "ack", "step": 1}')
    with raw.join(module_server.port, f"/api/runs/{runs[1]}/stream?flow=ack") as connection:
        connection.sendall(ack * 8000)
        for _ in range(20):
            time.sleep(0.05)
            connection.sendall(ack * 10)
        connection.sendall(raw.frame(1, b"{}"))
        # all of them were taken: it is the last that ends it
        assert b"expected" in said(connection)[-100:]


@pytest.mark.alone
def test_a_close_behind_many_messages_is_answered(
    module_server: Server, runs: tuple[str, str]
) -> None:
    ack = raw.frame(1, b'{"kind": "ack", "step": 1}')
    with raw.join(module_server.port, f"/api/runs/{runs[1]}/stream") as connection:
        connection.sendall(ack * 3000 + raw.frame(8, b"\x03\xe8"))
        begun = time.monotonic()
        assert close_code(said(connection)) == 1000
        assert time.monotonic() - begun < limits.CLOSE_SECS


def test_broken_text_leaves_no_line_in_the_log(
    module_server: Server, runs: tuple[str, str]
) -> None:
    before = module_server.log_text()
    for data in (b"\xff\xfe", b"\xed\xa0\x80"):
        with raw.join(module_server.port, f"/api/runs/{runs[1]}/stream") as connection:
            connection.sendall(raw.frame(1, data))
            assert close_code(said(connection)) == 1007
    assert module_server.log_text() == before


@pytest.fixture
def short_limits_server(tmp_path: Path) -> Iterator[Server]:
    """A server that pings every second."""
    with serving(tmp_path, program=(sys.executable, "-m", "tests.server.short_limits")) as running:
        running.wait(running.get("/runs")[0]["id"], "paused")
        yield running


def test_a_silent_stream_is_pinged_and_needs_no_answer(short_limits_server: Server) -> None:
    run = short_limits_server.get("/runs")[0]["id"]
    with raw.join(short_limits_server.port, f"/api/runs/{run}/stream") as connection:
        connection.settimeout(10)
        pings = 0
        while pings < 4:
            data = connection.recv(65536)
            assert data, "it was closed"
            pings += data[-6:-4] == b"\x89\x04"  # a ping of four bytes, the last thing said


def test_a_viewer_that_reads_nothing_for_long_is_kept(short_limits_server: Server) -> None:
    run = short_limits_server.create(pace=None, max_steps=1_000_000)
    short_limits_server.command(run, "play")
    with view(short_limits_server, run, "?flow=ack") as viewer:
        time.sleep(2 * short_limits.UNREAD_SECS)
        viewer.socket.settimeout(10)
        assert json.loads(viewer.recv(timeout=10))["kind"] == "hello"
        viewer.send('{"kind": "ack", "step": 10000000}')
        assert viewer.recv(timeout=10)
    short_limits_server.command(run, "pause")


def test_a_peer_that_does_not_answer_the_close_is_disconnected(module_server: Server) -> None:
    run = module_server.create(pace=None, max_steps=10_000_000)
    process = psutil.Process(module_server.process.pid)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", module_server.port))
        shake = raw.head(
            "GET",
            f"/api/runs/{run}/stream",
            [f"Host: 127.0.0.1:{module_server.port}", *raw.UPGRADE],
        )
        connection.sendall(shake)
        module_server.command(run, "play")
        time.sleep(3)
        ours = connection.getsockname()[1]
        module_server.client.delete(f"/api/runs/{run}")
        end = time.monotonic() + 4 * limits.CLOSE_SECS
        while any(tuple(c.raddr)[1:2] == (ours,) for c in process.net_connections("tcp")):
            assert time.monotonic() < end, "it is still open"
            time.sleep(0.1)
