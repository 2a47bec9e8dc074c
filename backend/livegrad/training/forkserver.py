"""The forkserver: one warm, single-threaded process that the server's processes are forked from, in milliseconds.

Knows nothing of runs. It reads Start messages from standard input, and says on standard output what became of each
process. When the server is gone it takes no new work, and ends once its last process has ended.
"""

import contextlib
import os
import select
import selectors
import signal
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from livegrad.errors import ProtocolError
from livegrad.process_protocol import (
    TROUBLE,
    Call,
    Decoder,
    Ended,
    Message,
    Report,
    Start,
    Started,
    StartFailed,
)
from livegrad.training import task_process
from livegrad.training.warm import load

PIECE_BYTES = 65536


@dataclass(slots=True)
class Child:
    """A process that was forked from here. `report` is the pipe of its last words; `said` what came over it."""

    number: int
    pid: int
    is_call: bool
    report: int
    decoder: Decoder = field(default_factory=Decoder)
    said: Report = field(default_factory=Report)


class ForkServer:
    """`requests` and `replies` are the descriptors of the pipes from and to the server."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies
        self._has_server = True  # until its pipe says otherwise
        self._decoder = Decoder()
        self._children: dict[int, Child] = {}  # by pid
        self._selector = selectors.DefaultSelector()
        # Held by every child, written by nobody: it is at its end once this process is gone.
        self._lifeline, self._own_end = os.pipe()
        self._wakeup, self._woken = os.pipe()

    def serve(self) -> None:
        """Fork a process per request, until the server and the last process are gone."""
        for descriptor in (self._requests, self._wakeup, self._woken):
            os.set_blocking(descriptor, False)
        self._selector.register(self._requests, selectors.EVENT_READ, self._read_requests)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._reap)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        while self._has_server or self._children:
            for key, _ in self._selector.select():
                act: Callable[[], None] = key.data
                act()

    def tell(self, message: Message) -> None:
        """Tell the server; it may be gone."""
        with contextlib.suppress(OSError):
            task_process.send(self._replies, message)

    # -- the server's requests

    def _read_requests(self) -> None:
        try:
            data = os.read(self._requests, PIECE_BYTES)
            for message in self._decoder.feed(data):
                if isinstance(message, Start):
                    self._start(message)
        except BlockingIOError:
            return
        except (OSError, ProtocolError):
            data = b""
        if not data:
            self._lose_server()

    def _lose_server(self) -> None:
        # Trainers end by themselves, unless another server takes them over; nobody waits for what a call returns.
        self._has_server = False
        self._selector.unregister(self._requests)
        for child in self._children.values():
            if child.is_call:
                os.kill(child.pid, signal.SIGKILL)

    def _start(self, request: Start) -> None:
        try:
            self._fork(request)
        except OSError as error:  # no process, no memory, no descriptors
            self.tell(StartFailed(request.number, error.strerror or str(error)))

    def _fork(self, request: Start) -> None:
        report, reports = os.pipe()
        try:
            pid = os.fork()
        except OSError:
            os.close(report)
            os.close(reports)
            raise
        if pid == 0:
            os.close(report)
            self._become(request, reports)
        os.close(reports)
        os.set_blocking(report, False)
        self._children[pid] = Child(request.number, pid, isinstance(request.task, Call), report)
        self._selector.register(report, selectors.EVENT_READ, lambda: self._read_report(pid))
        self.tell(Started(request.number, pid))

    # -- its processes

    def _become(self, request: Start, reports: int) -> None:
        # In the new process; never returns.
        code = TROUBLE
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            for child in self._children.values():
                os.close(child.report)
            for descriptor in (
                self._requests,
                self._replies,
                self._own_end,
                self._wakeup,
                self._woken,
            ):
                os.close(descriptor)
            threading.Thread(
                target=_end_with, args=(self._lifeline,), name="lifeline", daemon=True
            ).start()
            code = task_process.do(request.task, reports)
        finally:
            task_process.end(code)

    def _read_report(self, pid: int) -> None:
        child = self._children.get(pid)
        if child is None:  # its end was seen in the same turn, with all that it had said
            return
        if not _take(child) and child.report in self._selector.get_map():
            self._selector.unregister(child.report)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wakeup, PIECE_BYTES):
                pass
        for pid in list(self._children):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self._let_go(self._children.pop(pid), os.waitstatus_to_exitcode(status))

    def _let_go(self, child: Child, code: int) -> None:
        # What it said last may still be in its pipe. A process of its own may hold the pipe open: nobody waits for it.
        while _take(child):
            pass
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.report)
        os.close(child.report)
        self.tell(Ended(child.number, code, child.said.error, child.said.result))


def _take(child: Child) -> bool:
    # Whether there was something to read, and so may be more.
    try:
        data = os.read(child.report, PIECE_BYTES)
        for message in child.decoder.feed(data):
            if isinstance(message, Report):
                child.said = message
    except (OSError, ProtocolError):
        return False
    return bool(data)


def _end_with(lifeline: int) -> None:
    with contextlib.suppress(OSError):
        os.read(lifeline, 1)
    os._exit(TROUBLE)  # the forkserver is gone: nobody would hear how this process ends


class ParentWatch:
    """While torch is loaded, ends this process as soon as the server is gone. Its thread is gone before any fork."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._is_over, self._over = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="orphanhood", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        os.close(self._over)
        self._thread.join()
        os.close(self._is_over)

    def _watch(self) -> None:
        # The server asks for nothing before it has heard that torch is loaded: what can be read now is the pipe's end.
        readable, _, _ = select.select([self._requests, self._is_over], [], [])
        if self._requests in readable and not os.read(self._requests, 1):
            os._exit(TROUBLE)


def main() -> None:
    """Load torch, say so, and serve. The process's whole life."""
    requests, replies = task_process.settle()
    # Of Python 3.12 and later: a library's own threads, which it stops at a fork, would be warned of.
    warnings.filterwarnings("ignore", r".*fork\(\)", DeprecationWarning)
    with ParentWatch(requests):
        ready = load(forks=True)
    server = ForkServer(requests, replies)
    server.tell(ready)
    if ready.can_fork:
        server.serve()
    task_process.end(0)


if __name__ == "__main__":
    main()
