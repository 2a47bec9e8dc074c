"""The processes of one server, as Linux shows them under /proc.

Found by a mark in their environment.
"""

import ctypes
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

MARK = "LIVEGRAD_FAULTS"
PIDFD_GETFD = 438  # the number of the system call, the same on every architecture since Linux 5.6
ESTABLISHED = "01"
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Connected:
    """A process's end of a connection to the server."""

    pid: int
    descriptor: int


@dataclass(frozen=True, slots=True)
class ServerProcesses:
    """Everything that a server started, and what that started.

    `mark` tells it from other servers' processes.
    """

    mark: str

    def environment(self) -> dict[str, str]:
        """Return what the server's environment must hold."""
        return {MARK: self.mark}

    def pids(self) -> list[int]:
        """Return all of them that are alive, the server too."""
        needle = f"{MARK}={self.mark}".encode()
        folders = [folder for folder in _PROC.iterdir() if folder.name.isdigit()]
        return sorted(int(f.name) for f in folders if needle in _read(f / "environ").split(b"\0"))

    def connections(self, port: int, server: int) -> list[Connected]:
        """Return the connections to the server's port that its own processes hold.

        One for each trainer.
        """
        sockets = _sockets_to(port)
        found: list[Connected] = []
        for pid in self.pids():
            if pid != server:
                found += [Connected(pid, number) for number in _descriptors(pid, sockets)]
        return found

    def trainers(self, port: int, server: int) -> list[int]:
        """Return the trainers that are connected."""
        return sorted({connected.pid for connected in self.connections(port, server)})

    def starters(self, port: int, server: int) -> list[int]:
        """Return the server's children that are not trainers: the forkserver, or a warm spare."""
        trainers = self.trainers(port, server)
        return [
            pid
            for pid in self.pids()
            if _parent(pid) == server
            and pid not in trainers
            and b"resource_tracker" not in _read(_PROC / str(pid) / "cmdline")
        ]

    def kill_all(self) -> None:
        """Kill every one, stopped ones too."""
        for pid in self.pids():
            send(pid, signal.SIGKILL)


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; return whether the process was there to get it."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def is_alive(pid: int) -> bool:
    """Return whether the process runs: one that has ended and was not waited for does not."""
    return _state(pid) not in ("", "Z", "X")


def cut(connected: Connected) -> None:
    """Shut a connection down from outside the process that holds it.

    Raises OSError where that is not allowed.
    """
    process = os.pidfd_open(connected.pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        number = libc.syscall(PIDFD_GETFD, process, connected.descriptor, 0)
        if number < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        with socket.socket(fileno=number) as taken:
            taken.shutdown(socket.SHUT_RDWR)
    finally:
        os.close(process)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile, or is another user's
        return b""


def _state(pid: int) -> str:
    return _read(_PROC / str(pid) / "stat").rpartition(b")")[2].decode().strip()[:1]


def _parent(pid: int) -> int:
    fields = _read(_PROC / str(pid) / "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else -1


def _sockets_to(port: int) -> set[str]:
    # inodes; a line: sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
    found = set()
    for line in _read(_PROC / "net" / "tcp").decode().splitlines()[1:]:
        fields = line.split()
        if fields[3] == ESTABLISHED and int(fields[2].partition(":")[2], 16) == port:
            found.add(f"socket:[{fields[9]}]")
    return found


def _descriptors(pid: int, sockets: set[str]) -> list[int]:
    folder = _PROC / str(pid) / "fd"
    try:
        return [int(name) for name in os.listdir(folder) if _target(folder / name) in sockets]
    except OSError:  # it has ended meanwhile
        return []


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # it was closed meanwhile
        return ""
