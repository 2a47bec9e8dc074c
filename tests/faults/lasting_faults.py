"""Faults that last for a while: a full disk, a locked log, a frozen process. Each ends by itself.

Every one can be lifted early: before a server is started again, and at the end.
"""

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.faults.processes import send

DISK_BYTES = 256 * 1024 * 1024


class SmallDisk:
    """A file system of its own for the run log, where this user may mount one.

    `is_mounted` says whether.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._ballast = folder, folder / "ballast"
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
        try:
            self.is_mounted = (
                subprocess.run(command, capture_output=True, timeout=20).returncode == 0
            )
        except OSError:
            self.is_mounted = False

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 20))

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Take the file system away."""
        if self.is_mounted:
            subprocess.run(["umount", "-l", str(self._folder)], check=True, timeout=20)


class LastingFaults:
    """What lasts at the moment.

    Everything but the waiting happens in the caller's thread or in the fault's own.
    """

    def __init__(self) -> None:
        self._lasting: dict[str, tuple[threading.Event, threading.Thread]] = {}

    def begin(
        self, name: str, secs: float, start: Callable[[], None], end: Callable[[], None]
    ) -> bool:
        """Let a fault last for `secs`; return False when one of that name lasts already."""
        if self.lasts(name):
            return False
        over = threading.Event()
        start()

        def wait() -> None:
            over.wait(secs)
            end()

        thread = threading.Thread(target=wait, name=name)
        self._lasting[name] = (over, thread)
        thread.start()
        return True

    def lasts(self, name: str) -> bool:
        """Return whether a fault of that name lasts."""
        return name in self._lasting and self._lasting[name][1].is_alive()

    def lift(self) -> None:
        """End all of them now."""
        for over, _ in self._lasting.values():
            over.set()
        for _, thread in self._lasting.values():
            thread.join(30)
        self._lasting.clear()

    # -- lasting

    def stop(self, pid: int, secs: float) -> None:
        """Stop a process for a while."""
        self.begin(
            f"stopped {pid}",
            secs,
            lambda: _send(pid, signal.SIGSTOP),
            lambda: _send(pid, signal.SIGCONT),
        )

    def hold_log(self, path: Path, secs: float, is_writing: bool) -> None:
        """Hold the run log in a transaction for a while: one that writes keeps every writer out."""
        name = "writer" if is_writing else "reader"
        if self.lasts(name):
            return
        over = threading.Event()
        thread = threading.Thread(target=_hold, args=(path, secs, is_writing, over), name=name)
        self._lasting[name] = (over, thread)
        thread.start()

    def fill(self, disk: SmallDisk, secs: float) -> None:
        """Fill the disk for a while."""
        self.begin("full disk", secs, disk.fill, disk.free)

    def limit(self, pid: int, data: Path, spare_bytes: int, secs: float) -> None:
        """Let a process's files grow by no more than `spare_bytes` for a while."""
        sizes = [path.stat().st_size for path in data.glob("livegrad.sqlite3*")]
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        bound = max(sizes, default=0) + spare_bytes
        self.begin("limit", secs, lambda: _limit(pid, bound, hard), lambda: _limit(pid, hard, hard))


def _send(pid: int, number: signal.Signals) -> None:
    send(pid, number)


def _limit(pid: int, soft: int, hard: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def _hold(path: Path, secs: float, is_writing: bool, over: threading.Event) -> None:
    end = time.monotonic() + secs
    with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as db:
        with contextlib.suppress(sqlite3.OperationalError):  # a server that starts holds it itself
            db.execute("BEGIN IMMEDIATE" if is_writing else "BEGIN")
            db.execute("SELECT count(*) FROM runs").fetchone()
            over.wait(max(end - time.monotonic(), 0))
        if db.in_transaction:
            db.rollback()


def clean(folder: Path) -> None:
    """Delete everything in a folder, as a job that cleans /tmp does."""
    for where, folders, files in os.walk(folder, topdown=False):
        for name in files:
            (Path(where) / name).unlink(missing_ok=True)
        for name in folders:
            with contextlib.suppress(OSError):
                (Path(where) / name).rmdir()
