"""What HTTP may bring and how long it may take.

Beyond it, a refusal and the end; beside it, others notice nothing.

Covers api/uvicorn_protocols.py.
"""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from livegrad.api import limits
from livegrad.api.security import HEADERS
from tests.running import Server, serving
from tests.server import raw, short_limits
from tests.server.attacks import huge_header, pour, said
from tests.server.refused import assert_problem, own
from tests.server.service_quality import measured_service

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def short_limits_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits a second where others wait ten."""
    with serving(
        tmp_path_factory.mktemp("short_limits_server"),
        program=(sys.executable, "-m", "tests.server.short_limits"),
    ) as running:
        running.wait(running.get("/runs")[0]["id"], "paused")
        yield running
        assert "Traceback" not in running.log_text(), running.log_text()


def request(server: Server, size: int, *headers: str, path: str = "/api/health") -> bytes:
    """Return a request whose head is `size` bytes long."""
    bare = raw.head("GET", path, [own(server), *headers, "X: "])
    return raw.head("GET", path, [own(server), *headers, "X: " + "x" * (size - len(bare))])


@pytest.mark.parametrize("headers", [(), raw.UPGRADE], ids=["http", "websocket"])
def test_headers_up_to_64_kib_are_taken(module_server: Server, headers: tuple[str, ...]) -> None:
    run = module_server.get("/runs")[-1]["id"]
    path = f"/api/runs/{run}/stream" if headers else "/api/health"
    answer = raw.ask(
        module_server.port, request(module_server, limits.HEAD_BYTES, *headers, path=path)
    )
    assert answer.status == (101 if headers else 200), answer


@pytest.mark.parametrize("headers", [(), raw.UPGRADE], ids=["http", "websocket"])
def test_headers_beyond_64_kib_are_refused(module_server: Server, headers: tuple[str, ...]) -> None:
    answer = raw.ask(module_server.port, request(module_server, limits.HEAD_BYTES + 1, *headers))
    assert str(limits.HEAD_BYTES) in assert_problem(answer, 431)["detail"]
    assert answer.headers["connection"] == "close"
    assert (
        answer.headers.items() >= {name.lower(): value for name, value in HEADERS.items()}.items()
    )


@pytest.mark.parametrize("count", [limits.HEADERS, limits.HEADERS + 1])
@pytest.mark.parametrize("headers", [(), raw.UPGRADE], ids=["http", "websocket"])
def test_headers_are_counted(module_server: Server, headers: tuple[str, ...], count: int) -> None:
    run = module_server.get("/runs")[-1]["id"]
    lines = [own(module_server), *headers]
    lines += [f"X-{number}: 1" for number in range(count - len(lines))]
    answer = raw.get(
        module_server.port, f"/api/runs/{run}/stream" if headers else "/api/health", *lines
    )
    assert answer.status == ((101 if headers else 200) if count == limits.HEADERS else 431)


@pytest.mark.parametrize("size", [9_000, 30_000, 60_000])
def test_a_websocket_with_many_cookies_is_answered(module_server: Server, size: int) -> None:
    run = module_server.get("/runs")[-1]["id"]
    cookies = "; ".join(f"other{number}=value" for number in range(size // 18))
    answer = raw.upgrade(
        module_server.port, f"/api/runs/{run}/stream", own(module_server), f"Cookie: {cookies}"
    )
    assert answer.status == 101


@pytest.mark.alone
def test_a_header_of_400_mb_uses_no_memory_and_delays_nobody(module_server: Server) -> None:
    watched = module_server.create(pace=60, max_steps=1_000_000)
    commanded = module_server.create(max_steps=1_000_000)
    module_server.command(watched, "play")
    process = psutil.Process(module_server.process.pid)
    before = process.memory_info().rss
    with measured_service(module_server, watched, commanded) as service:
        for _ in range(3):
            sent, answer = huge_header(module_server.port, 400)
            assert sent < 50_000_000
            assert answer.startswith(b"HTTP/1.1 431 "), answer[:100]
        time.sleep(1)
    assert process.memory_info().rss - before < 32 * MIB
    assert service.longest_gap_secs < 1
    assert service.command_p99() < 1
    for run in (watched, commanded):
        module_server.client.delete(f"/api/runs/{run}")


@pytest.mark.parametrize("end", [b"", b"5\r\nhello\r\n0\r\n"], ids=["chunks", "trailers"])
def test_a_body_that_would_not_end_is_cut_off(module_server: Server, end: bytes) -> None:
    head = raw.head("POST", "/api/runs", [own(module_server), "Transfer-Encoding: chunked"])
    with socket.create_connection(("127.0.0.1", module_server.port), raw.SECONDS) as connection:
        connection.sendall(head + end)
        more = b"X: " + b"x" * 16_000 + b"\r\n" if end else b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        assert pour(connection, more, 10_000) < 100_000_000
        assert said(connection)[:12] in (b"HTTP/1.1 413", b"HTTP/1.1 400", b"HTTP/1.1 431", b"")
    assert module_server.get("/health")["status"] == "ok"


def test_a_few_requests_may_be_sent_ahead_and_not_many(module_server: Server) -> None:
    one = raw.head("GET", "/api/health", [own(module_server)])
    for count, answers in ((limits.PIPELINED_REQUESTS, limits.PIPELINED_REQUESTS), (3000, None)):
        with socket.create_connection(("127.0.0.1", module_server.port), raw.SECONDS) as connection:
            connection.sendall(
                one * (count - 1)
                + raw.head("GET", "/api/health", [own(module_server), "Connection: close"])
            )
            found = said(connection).count(b"HTTP/1.1 200")
        assert found == answers if answers else found < 100


SLOW = {
    "nothing": b"",
    "half a line": b"GET /api/he",
    "half of the headers": b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n",
    "half a websocket": raw.head("GET", "/", ["Host: 127.0.0.1", *raw.UPGRADE])[:-2],
    "empty lines": b"\r\n\r\n",
}


@pytest.mark.parametrize("begun", SLOW.values(), ids=SLOW)
def test_slow_headers_are_given_up(short_limits_server: Server, begun: bytes) -> None:
    with socket.create_connection(
        ("127.0.0.1", short_limits_server.port), raw.SECONDS
    ) as connection:
        connection.sendall(begun)
        since = time.monotonic()
        answer = said(connection)
        took = time.monotonic() - since
    assert short_limits.HEAD_SECS * 0.9 < took < short_limits.HEAD_SECS + 6
    assert answer.startswith(b"HTTP/1.1 408 ") or not begun.strip()


def test_headers_that_drip_are_given_up(short_limits_server: Server) -> None:
    with socket.create_connection(
        ("127.0.0.1", short_limits_server.port), raw.SECONDS
    ) as connection:
        since = time.monotonic()
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        connection.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() - since < 10:
            connection.sendall(b"x")
            try:
                answer = connection.recv(100)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_slow_body_is_given_up(short_limits_server: Server) -> None:
    head = raw.head(
        "POST",
        "/api/runs",
        [own(short_limits_server), "Content-Length: 100", "Content-Type: application/json"],
    )
    with socket.create_connection(
        ("127.0.0.1", short_limits_server.port), raw.SECONDS
    ) as connection:
        connection.sendall(head + b"{")
        since = time.monotonic()
        assert_problem(raw.read(connection), 408)
        assert time.monotonic() - since > short_limits.BODY_SECS * 0.9
    assert len(short_limits_server.get("/runs")) == 1


def test_an_idle_connection_is_closed_and_a_busy_one_kept(short_limits_server: Server) -> None:
    one = raw.head("GET", "/api/health", [own(short_limits_server)])
    with socket.create_connection(
        ("127.0.0.1", short_limits_server.port), raw.SECONDS
    ) as connection:
        for _ in range(4):
            connection.sendall(one)
            assert raw.read(connection).status == 200
            time.sleep(short_limits.KEEP_ALIVE_SECS / 3)
        assert said(connection) == b""


def test_at_the_limit_of_connections_the_longest_idle_one_is_closed(
    short_limits_server: Server,
) -> None:
    run = short_limits_server.get("/runs")[0]["id"]
    with (
        raw.join(short_limits_server.port, f"/api/runs/{run}/stream") as viewer,
        ExitStack() as stack,
    ):
        for _ in range(100):
            stack.enter_context(
                socket.create_connection(("127.0.0.1", short_limits_server.port), raw.SECONDS)
            )
        assert (
            raw.get(short_limits_server.port, "/api/health", own(short_limits_server)).status == 200
        )
        assert viewer.recv(65536)
        viewer.settimeout(0.5)
        with suppress(TimeoutError):
            assert viewer.recv(65536)  # b"": it was cut off


def test_beyond_the_limit_of_connections_a_viewer_is_refused_with_retry_after(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, program=(sys.executable, "-m", "tests.server.short_limits")) as full:
        run = full.get("/runs")[0]["id"]
        full.client.close()
        shake = raw.head("GET", f"/api/runs/{run}/stream", [own(full), *raw.UPGRADE])
        with ExitStack() as stack:
            statuses = []
            for _ in range(short_limits.MOST_CONNECTIONS + 5):
                connection = stack.enter_context(
                    socket.create_connection(("127.0.0.1", full.port), raw.SECONDS)
                )
                connection.sendall(shake)
                statuses.append((answer := raw.read(connection, has_body=False)).status)
        assert 503 in statuses
        assert statuses.index(503) > short_limits.MOST_CONNECTIONS - 5
        assert answer.headers["retry-after"]
        end = time.monotonic() + 10
        while raw.get(full.port, "/api/health", own(full)).status != 200:
            assert time.monotonic() < end
            time.sleep(0.1)


MALFORMED = [
    b"\x16\x03\x01",
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
]


def test_a_refused_request_writes_no_line_to_the_log(token_server: Server) -> None:
    run = token_server.get("/runs")[0]["id"]
    before = token_server.log_text()
    host = own(token_server)
    for path in (
        f"/api/runs/{run}/stream",
        f"/api/runs/{run}/trainer",
        "/api/runs/nope/trainer",
        "/nope",
    ):
        for lines in ((host,), ("Host: evil.example",), (host, "Origin: http://evil.example")):
            assert raw.upgrade(token_server.port, path, *lines).status in (401, 403, 404, 421)
    for changed in ("Sec-WebSocket-Version: 12", "Content-Length: 5"):
        raw.upgrade(token_server.port, f"/api/runs/{run}/stream", host, changed)
    for data in MALFORMED:
        with socket.create_connection(("127.0.0.1", token_server.port), raw.SECONDS) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            said(connection)
    huge_header(token_server.port, 1)
    assert token_server.log_text() == before


@pytest.mark.parametrize(
    "changed",
    [
        "Content-Length: 5",
        "Transfer-Encoding: chunked",
        "Sec-WebSocket-Version: 12",
        "Sec-WebSocket-Key: twice",
    ],
)
def test_a_malformed_handshake_is_refused_as_everything_else_is(
    module_server: Server, changed: str
) -> None:
    run = module_server.get("/runs")[-1]["id"]
    answer = raw.upgrade(module_server.port, f"/api/runs/{run}/stream", own(module_server), changed)
    assert_problem(answer, answer.status)
    assert answer.status in (400, 426)
    assert (
        answer.headers.items() >= {name.lower(): value for name, value in HEADERS.items()}.items()
    )
