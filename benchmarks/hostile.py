"""Measures how attacks affect another viewer and another client's commands.

The attacks are those of the tests.
"""

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from benchmarks.sampling import Effort
from benchmarks.server import FOREVER, process_of
from benchmarks.table import Row
from tests.long_run import write_run
from tests.running import Server, serving
from tests.server import raw
from tests.server.attacks import FLOODS, flood, huge_header
from tests.server.service_quality import Service, measured_service

SUBJECT = "hostile"
REACH_FRAMES, REACH_MS, REACH_MEGABYTES = 55.0, 100.0, 100.0
SECS, STEPS, EXPORTS = 8.0, 60_000, 60
MEGABYTE = 1_000_000
Attack = Callable[[], None]


def rows(effort: Effort) -> Iterator[Row]:
    """Watch and command without an attack first, then during each."""
    with tempfile.TemporaryDirectory() as folder:
        long = write_run(Path(folder), STEPS)
        with serving(Path(folder)) as running:
            watched = running.create(pace=60, max_steps=FOREVER)
            commanded = running.create(max_steps=FOREVER)
            running.command(watched, "play")
            for name, attack in _attacks(running, commanded, long, effort.secs(SECS)).items():
                yield from _beside(running, watched, commanded, name, attack, effort.secs(SECS))


def _attacks(running: Server, run: str, long: str, secs: float) -> dict[str, Attack]:
    attacks: dict[str, Attack] = {
        "nothing": lambda: time.sleep(0.1),
        "a header of 400 MB": lambda: _ignore(huge_header(running.port, 400)),
    }
    for kind in FLOODS:
        attacks[f"a flood of {kind}"] = lambda kind=kind: _ignore(flood(running.port, run, kind))  # type: ignore[misc]
    attacks[f"{EXPORTS} exports unread"] = lambda: _unread(running, long, secs)
    return attacks


def _ignore(answer: object) -> None:
    """Discard the answer; the tests check it."""


def _unread(running: Server, run: str, secs: float) -> None:
    head = raw.head("GET", f"/api/runs/{run}/history.csv", [f"Host: 127.0.0.1:{running.port}"])
    with ExitStack() as stack:
        for _ in range(EXPORTS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            connection.sendall(head)
        time.sleep(secs)


def _beside(
    running: Server, watched: str, commanded: str, name: str, attack: Attack, secs: float
) -> Iterator[Row]:
    process, ends, times = process_of(running), threading.Event(), [0]
    before = process.memory_info().rss

    def attacking() -> None:
        while not ends.is_set():
            attack()
            times[0] += 1

    thread = threading.Thread(target=attacking)
    with measured_service(running, watched, commanded) as service:
        thread.start()
        time.sleep(secs)
        grown = (process.memory_info().rss - before) / MEGABYTE
    ends.set()
    thread.join()
    yield from _rows(name, service, grown, times[0])


def _rows(name: str, service: Service, grown: float, times: int) -> Iterator[Row]:
    note = f"{times} times" if times > 1 else ""
    frames, p99 = service.frames_per_sec, service.command_p99() * 1000
    yield Row(SUBJECT, f"frames to a viewer beside {name}", frames, "/s", REACH_FRAMES, True, note)
    count = f"{len(service.command_secs)} commands"
    yield Row(SUBJECT, f"a command beside {name}, p99", p99, "ms", REACH_MS, note=count)
    yield Row(SUBJECT, f"growth of the server's memory, {name}", grown, "MB", REACH_MEGABYTES)
