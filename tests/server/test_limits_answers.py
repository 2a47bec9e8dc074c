"""Answers that nobody reads.

Bounded in memory and number, given up in time, and nothing of them is left behind.

Covers api/long_responses.py and api/limits.py.
"""

import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from livegrad.api import limits
from tests.long_run import write_run
from tests.running import Server, serving
from tests.server import raw, short_limits
from tests.server.attacks import said
from tests.server.refused import assert_problem, own
from tests.server.service_quality import measured_service

RUN, STEPS = "10000000", 40_000
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run log with one run, RUN, of STEPS steps."""
    folder = tmp_path_factory.mktemp("long")
    assert write_run(folder, STEPS) == RUN
    return folder


@pytest.fixture(scope="module")
def long(folder: Path) -> Iterator[Server]:
    with serving(folder, "--max-runs", "16") as running:
        yield running
        assert "Traceback" not in running.log_text(), running.log_text()


@pytest.fixture
def short_limits_server(folder: Path, tmp_path: Path) -> Iterator[Server]:
    shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*.lock", "*-shm"))
    with serving(
        tmp_path / "copy", program=(sys.executable, "-m", "tests.server.short_limits")
    ) as running:
        yield running


def ask(stack: ExitStack, server: Server, what: str) -> socket.socket:
    """Ask for something of RUN, and read nothing of it."""
    connection = stack.enter_context(
        socket.create_connection(("127.0.0.1", server.port), raw.SECONDS)
    )
    connection.sendall(raw.head("GET", f"/api/runs/{RUN}/{what}", [own(server)]))
    return connection


def settles(what: Callable[[], int], most: int, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while (now := what()) > most:
        assert time.monotonic() < end, f"expected at most {most}, found {now}"
        time.sleep(0.05)


@pytest.mark.alone
def test_sixty_unread_exports_use_little_memory_and_delay_nobody(long: Server) -> None:
    watched, commanded = long.create(pace=60, max_steps=1_000_000), long.create(max_steps=1_000_000)
    long.command(watched, "play")
    process = psutil.Process(long.process.pid)
    before = process.memory_info().rss
    with ExitStack() as stack, measured_service(long, watched, commanded) as service:
        for _ in range(60):
            ask(stack, long, "history.csv")
        snapshots = []
        for step in range(0, STEPS, STEPS // 40):
            begun = time.monotonic()
            long.get(f"/runs/{RUN}/parameters", params={"step": step})
            snapshots.append(time.monotonic() - begun)
        time.sleep(2)
        assert process.memory_info().rss - before < 100 * MIB
    assert max(snapshots) < 2
    assert service.longest_gap_secs < 1
    assert service.command_p99() < 1
    settles(lambda: process.memory_info().rss - before, 100 * MIB)
    for run in (watched, commanded):
        long.client.delete(f"/api/runs/{run}")


@pytest.mark.parametrize("what", ["history.csv", "records"])
def test_an_export_beyond_the_limit_is_refused_with_retry_after(long: Server, what: str) -> None:
    with ExitStack() as stack:
        for _ in range(limits.EXPORTS):
            assert ask(stack, long, what).recv(12) == b"HTTP/1.1 200"
        refused = raw.get(long.port, f"/api/runs/{RUN}/{what}", own(long))
        assert_problem(refused, 503)
        assert int(refused.headers["retry-after"]) > 0
        assert raw.get(long.port, f"/api/runs/{RUN}/records?from=0&to=100", own(long)).status == 200
    assert long.client.get(f"/api/runs/{RUN}/{what}", params={"from": STEPS - 2000}).is_success


@pytest.mark.parametrize(
    "what", ["history.csv", "history.parquet", "records", "replay.html?size=2MB"]
)
def test_an_abandoned_answer_leaves_no_task_thread_or_file_behind(long: Server, what: str) -> None:
    process = psutil.Process(long.process.pid)
    assert long.client.get(f"/api/runs/{RUN}/history.csv", params={"from": STEPS - 2000}).is_success
    # all is loaded
    assert long.client.get(f"/api/runs/{RUN}/replay.html", params={"size": "1MB"}).is_success
    settled = limits.EXPORT_THREADS + limits.SNAPSHOT_THREADS
    files, threads = process.num_fds() + 2 * settled, process.num_threads() + settled
    for _ in range(5):
        with ExitStack() as stack:
            for number in range(10):
                connection = ask(stack, long, what)
                if number % 2 and not what.startswith("replay"):
                    connection.recv(1000)
    settles(process.num_fds, files)
    settles(process.num_threads, threads)
    answer = long.client.get(
        f"/api/runs/{RUN}/replay.html", params={"size": "1MB"}
    )  # its places are free again
    assert answer.is_success, answer.text


def test_two_hundred_abandoned_streams_leave_nothing_behind(long: Server) -> None:
    process = psutil.Process(long.process.pid)
    files, threads = process.num_fds() + 8, process.num_threads() + 8
    for _ in range(4):
        with ExitStack() as stack:
            for _ in range(50):
                stack.enter_context(raw.join(long.port, f"/api/runs/{RUN}/stream"))
    settles(process.num_fds, files)
    settles(process.num_threads, threads)


def test_an_answer_that_is_not_read_is_cut_off(short_limits_server: Server) -> None:
    with ExitStack() as stack:
        unread = ask(stack, short_limits_server, "history.csv")
        assert unread.recv(1)
        process = psutil.Process(short_limits_server.process.pid)
        ours = unread.getsockname()[1]
        settles(
            lambda: sum(
                bool(c.raddr) and c.raddr[1] == ours for c in process.net_connections("tcp")
            ),
            0,
            short_limits.UNREAD_SECS + 20,
        )
        found = said(unread)
    assert not found.endswith(b"0\r\n\r\n")


def test_a_slow_download_that_goes_on_is_not_cut_off(short_limits_server: Server) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.connect(("127.0.0.1", short_limits_server.port))
        connection.sendall(
            raw.head("GET", f"/api/runs/{RUN}/history.csv", [own(short_limits_server)])
        )
        end, last = time.monotonic() + 3 * short_limits.UNREAD_SECS, b""
        while time.monotonic() < end:
            last = connection.recv(30_000)
            assert last, "it was cut off"
            time.sleep(0.5)


def test_an_export_behind_another_request_ends_with_its_connection(long: Server) -> None:
    token = "behind-another-one-0"
    with socket.create_connection(("127.0.0.1", long.port), raw.SECONDS) as connection:
        one = raw.head("GET", f"/api/runs/{RUN}/history.csv?progress={token}", [own(long)])
        connection.sendall(one + raw.head("GET", "/api/health", [own(long)]))
        connection.recv(1000)
    end = time.monotonic() + 10
    while long.get(f"/runs/{RUN}/progress/{token}")["state"] != "cancelled":
        assert time.monotonic() < end
        time.sleep(0.05)


PATHS = (
    "/",
    "/main.js",
    "/docs",
    "/openapi.json",
    "/api/health",
    "/api/runs",
    "/api/nope",
    "/nope",
)


def without_changing(headers: httpx.Headers) -> dict[str, str]:
    return {
        k: v for k, v in headers.items() if k not in ("date", "transfer-encoding", "content-length")
    }


@pytest.mark.parametrize("path", PATHS)
def test_head_is_answered_as_get_is(long: Server, path: str) -> None:
    asked, got = long.client.head(path), long.client.get(path)
    assert asked.status_code == got.status_code
    assert asked.content == b""
    assert without_changing(asked.headers) == without_changing(got.headers)


@pytest.mark.parametrize(
    "what", ["history.csv", "history.parquet", "records", "replay.html?size=40MB", "script"]
)
def test_head_of_an_export_makes_none(long: Server, what: str) -> None:
    begun = time.monotonic()
    answers = [long.client.head(f"/api/runs/{RUN}/{what}") for _ in range(20)]
    assert time.monotonic() - begun < 10
    assert {(answer.status_code, answer.content) for answer in answers} <= {(200, b""), (409, b"")}
    if "history" in what:
        assert answers[0].headers["livegrad-rows"] == str(STEPS)


def test_stopping_the_server_ends_exports_under_way(tmp_path: Path) -> None:
    write_run(tmp_path, STEPS)
    with serving(tmp_path) as server, ExitStack() as stack:
        for _ in range(8):
            ask(stack, server, "history.csv").recv(100)
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 15
        assert "Traceback" not in server.log_text(), server.log_text()
