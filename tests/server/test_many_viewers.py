"""How many viewers there are, how they leave, and those that never read.

They cost little and hold nobody up.
"""

import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from websockets.sync.client import ClientConnection

from livegrad.cli import listen
from livegrad.protocol import HEADER
from livegrad.runs.run import MAX_VIEWERS
from livegrad.settings import read
from tests.running import Server
from tests.server import raw
from tests.server.closing import how_it_closed, view


@pytest.fixture
def run(module_server: Server) -> str:
    return str(module_server.get("/runs")[-1]["id"])


def crowd(module_server: Server, run: str, stack: ExitStack, count: int) -> list[socket.socket]:
    path = f"/api/runs/{run}/stream"
    return [stack.enter_context(raw.join(module_server.port, path)) for _ in range(count)]


def assert_full(module_server: Server, run: str) -> None:
    with view(module_server, run) as socket:
        event = json.loads(socket.recv(timeout=10))
        assert event["kind"] == "error"
        assert str(MAX_VIEWERS) in event["detail"]
        assert how_it_closed(socket)[0] == 4429


def until_one_may_join(module_server: Server, run: str) -> None:
    end = time.monotonic() + 10
    while True:
        with view(module_server, run) as socket:
            if json.loads(socket.recv(timeout=10))["kind"] == "hello":
                return
        assert time.monotonic() < end, "no place became free"
        time.sleep(0.02)


def hang_up(connection: socket.socket) -> None:
    """Leave without a word: the connection is reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def test_a_run_has_at_most_100_viewers_and_a_place_is_free_again_at_once(
    module_server: Server, run: str
) -> None:
    other = module_server.create(name="another")
    with ExitStack() as stack:
        viewers = crowd(module_server, run, stack, MAX_VIEWERS)
        assert_full(module_server, run)
        with view(module_server, other) as another:
            assert json.loads(another.recv(timeout=10))["kind"] == "hello"
        viewers[0].sendall(raw.frame(8, b"\x03\xe8"))
        until_one_may_join(module_server, run)
        hang_up(viewers[1])
        until_one_may_join(module_server, run)
        viewers[2].shutdown(socket.SHUT_WR)
        until_one_may_join(module_server, run)
    module_server.client.delete(f"/api/runs/{other}")


def test_sudden_ends_leave_nothing_behind(module_server: Server, run: str) -> None:
    process = psutil.Process(module_server.process.pid)
    module_server.get("/health")
    before = process.num_fds()
    for _ in range(3):
        with ExitStack() as stack:
            for number, connection in enumerate(crowd(module_server, run, stack, MAX_VIEWERS)):
                if number % 2:
                    connection.sendall(raw.frame(1, b'{"kind": "a', first=0))  # a message cut off
                hang_up(connection)
        until_one_may_join(module_server, run)
    end = time.monotonic() + 10
    while process.num_fds() > before:
        assert time.monotonic() < end, f"{process.num_fds()} files are open, {before} were"
        time.sleep(0.02)
    with ExitStack() as stack:
        crowd(module_server, run, stack, MAX_VIEWERS)
        assert_full(module_server, run)


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


@pytest.mark.alone
@pytest.mark.slow
def test_viewers_that_never_read_use_little_memory_and_delay_nobody(module_server: Server) -> None:
    run = module_server.create(pace=None, max_steps=10_000_000)
    process = psutil.Process(module_server.process.pid)
    with ExitStack() as stack:
        for query in ("", "?flow=ack"):
            for _ in range(5):
                stack.enter_context(raw.join(module_server.port, f"/api/runs/{run}/stream{query}"))
        reader = stack.enter_context(view(module_server, run, "?flow=ack"))
        module_server.command(run, "play")
        newest(reader, 1.0)
        before = process.memory_info().rss
        steps = newest(reader, 4.0)
        grown = process.memory_info().rss - before
        module_server.command(run, "pause")
    assert steps == sorted(steps)
    assert len(steps) > 40
    assert steps[-1] - steps[0] > 1000
    assert grown < 32 * 1024 * 1024
    module_server.client.delete(f"/api/runs/{run}")


def test_peers_that_are_gone_without_a_word_are_noticed_in_time(tmp_path: Path) -> None:
    with (
        listen(read(["--port", "0", "--data", str(tmp_path)])) as listener,
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


def test_pings_whose_answers_are_never_read_are_cut_off(module_server: Server, run: str) -> None:
    process = psutil.Process(module_server.process.pid)
    before = process.memory_info().rss
    with raw.join(module_server.port, f"/api/runs/{run}/stream") as connection:
        assert flood(connection, raw.frame(9, bytes(125)) * 2000, times=400) < 400  # of 100 MB
    assert process.memory_info().rss - before < 32 * 1024 * 1024
    assert module_server.get("/health")["status"] == "ok"
