"""Faults of what the server stands on.

Its disk, its log's lock, its temporary folder, the clock.
"""

import random
import signal
import time
from pathlib import Path

from tests.faults.kind import LeftOut, kind
from tests.faults.lasting_faults import clean
from tests.faults.processes import send
from tests.faults.system import System

DAY_SECS = 86_400.0


@kind(3)
def full_disk(system: System, source: random.Random) -> None:
    """Fill the file system of the run log for 0.1 to 2 s."""
    if not system.disk.is_mounted:
        raise LeftOut("this user may not mount a small file system")
    system.lasting.fill(system.disk, source.uniform(0.1, 2))


@kind(3)
def files_cannot_grow(system: System, source: random.Random) -> None:
    """Let the server's files grow by little or nothing for 0.1 to 2 s: its writes fail."""
    pid = system.server.process.pid
    system.lasting.limit(pid, system.data, source.choice([0, 0, 50_000]), source.uniform(0.1, 2))


@kind(5)
def slow_disk(system: System, source: random.Random) -> None:
    """Hold the run log's lock for 0.2 to 3 s: every write waits."""
    system.lasting.hold_log(_log(system), source.uniform(0.2, 3), is_writing=True)


@kind(1)
def log_locked_for_long(system: System, source: random.Random) -> None:
    """Hold the run log's lock for 6 to 8 s: longer than a write waits."""
    system.lasting.hold_log(_log(system), source.uniform(6, 8), is_writing=True)


@kind(3)
def reader_in_a_transaction(system: System, source: random.Random) -> None:
    """Stand in a reading transaction for 1 to 10 s: the write-ahead log cannot be emptied."""
    system.lasting.hold_log(_log(system), source.uniform(1, 10), is_writing=False)


@kind(1)
def tune_while_locked_then_kill_server(system: System, source: random.Random) -> None:
    """Hold the run log's lock, tune twice and pause, then kill -9 the server before it is free."""
    system.lasting.lift()
    system.lasting.hold_log(_log(system), 5, is_writing=True)
    time.sleep(0.1)
    for _ in range(2):
        for watched in system.watched_runs[:3]:
            system.sender.send(
                watched, {"kind": "tune", "lr": watched.rate * source.uniform(0.5, 1.5)}
            )
        time.sleep(source.uniform(0.05, 0.3))
    for watched in system.watched_runs[:3]:
        system.sender.send(watched, {"kind": "pause"})
    time.sleep(source.uniform(0.05, 0.3))
    system.take_down()
    begun = time.monotonic()
    send(system.server.process.pid, signal.SIGKILL)
    system.bring_up(begun, "kill server, log locked")


@kind(2)
def clean_temporary_folder(system: System, source: random.Random) -> None:
    """Delete everything in the server's temporary folder, sockets too."""
    clean(system.temporary)


@kind(6)
def step_clock(system: System, source: random.Random) -> None:
    """Set the wall clock back or forward, by a second to a day."""
    secs = source.choice([1.0, 10.0, 60.0, 3600.0, DAY_SECS])
    system.clock_secs += source.choice([-1, 1]) * secs
    system.clock.set(system.clock_secs)


def _log(system: System) -> Path:
    return system.data / "livegrad.sqlite3"
