"""Nothing on the event loop's thread waits for another process, a lock or a disk.

Whatever stands still, it answers.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.running import Server, serving

pytestmark = pytest.mark.alone
LONGEST_SECS = (
    # a busy machine's share included; what is waited for below stands still for three times as long
    1.0
)
STANDS_SECS = 3.0


class Watch:
    """Asks for /api/health again and again, and notes the longest that it took."""

    def __init__(self, server: Server) -> None:
        self.longest = 0.0
        self.asked = 0
        self._server = server
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._is_over.is_set():
            begun = time.monotonic()
            assert self._server.get("/health")["status"] == "ok"
            self.longest = max(self.longest, time.monotonic() - begun)
            self.asked += 1
            time.sleep(0.01)

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            self._thread.join()


def in_background(server: Server, *bodies: dict[str, object]) -> list[threading.Thread]:
    """Make runs, which need what stands still; their answers may take long."""
    threads = [
        threading.Thread(target=server.client.post, args=("/api/runs",), kwargs={"json": b})
        for b in bodies
    ]
    for thread in threads:
        thread.start()
    return threads


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as running:
        running.wait(running.get("/runs")[0]["id"], "paused")
        running.command(running.get("/runs")[0]["id"], "play")
        yield running


def assert_it_answered(watch: Watch) -> None:
    assert watch.asked > 20
    assert watch.longest < LONGEST_SECS


def test_the_server_answers_while_its_processes_are_stopped(server: Server) -> None:
    below: set[psutil.Process] = server.descendants()
    watch = Watch(server)
    with watch.watching():
        for process in below:
            process.suspend()
        try:
            making = in_background(server, {"name": "made meanwhile"})
            time.sleep(STANDS_SECS)
        finally:
            for process in below:
                process.resume()
        for thread in making:
            thread.join(60)
    assert_it_answered(watch)
    server.wait(server.get("/runs")[0]["id"], "paused")


def test_the_server_answers_while_its_processes_are_killed(server: Server) -> None:
    watch = Watch(server)
    with watch.watching():
        for _ in range(4):
            making = in_background(server, {"name": "made meanwhile"})
            for process in server.descendants():
                process.kill()
            time.sleep(STANDS_SECS / 4)
            for thread in making:
                thread.join(60)
    assert_it_answered(watch)
    for run in server.get("/runs"):
        server.wait(run["id"], "paused", "running")


def test_the_server_answers_while_another_program_locks_its_log(server: Server) -> None:
    watch = Watch(server)
    log = server.data / "livegrad.sqlite3"
    with closing(sqlite3.connect(log, isolation_level=None)) as other, watch.watching():
        other.execute("BEGIN EXCLUSIVE")
        making = in_background(server, {"name": "refused meanwhile"})
        run = server.get("/runs")[0]["id"]
        server.client.get(f"/api/runs/{run}/parameters")
        time.sleep(STANDS_SECS)
        other.execute("ROLLBACK")
        for thread in making:
            thread.join(60)
    assert_it_answered(watch)
