"""The forkserver: a single-threaded process with torch loaded, forked in milliseconds.

It reads Start messages from standard input and reports on standard output how each process fared.
When the server is gone, it takes no new work and ends after its last process. Knows nothing of
runs.
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
    """A forked process.

    `report` is the pipe for its report; `said` is the report that came over it.
    """

    number: int
    pid: int
    is_call: bool
    report: int
    decoder: Decoder = field(default_factory=Decoder)
    said: Report = field(default_factory=Report)


class ForkServer:
    """Forks processes.

    `requests` and `replies` are the descriptors of the pipes from and to the server.
    """

    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies
        self._has_server = True  # until its pipe ends
        self._decoder = Decoder()
        self._children: dict[int, Child] = {}  # by pid
        self._selector = selectors.DefaultSelector()
        # Every child holds this pipe and nobody writes to it: it ends when this process ends.
        self._lifeline, self._own_end = os.pipe()
        self._wakeup, self._woken = os.pipe()

    def serve(self) -> None:
        """Fork one process per request, until the server and the last process are gone."""
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
        """Send a message to the server, which may be gone."""
        with contextlib.suppress(OSError):
            task_process.send(self._replies, message)

    # -- requests of the server

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
        # Trainers end by themselves unless another server takes them over. Nobody waits for the
        # results of calls.
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

    # -- child processes

    def _become(self, request: Start, reports: int) -> None:
        # This is the new process; it never returns from here.
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
        if child is None:  # its end was handled in the same turn, with its whole report
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
        # The child's last report may still be in the pipe. A process that it started may hold the
        # pipe open, so do not wait for the pipe to end.
        while _take(child):
            pass
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.report)
        os.close(child.report)
        self.tell(Ended(child.number, code, child.said.error, child.said.result))


def _take(child: Child) -> bool:
    # Return whether there was something to read; there may be more then.
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
    os._exit(TROUBLE)  # the forkserver is gone, so nobody would learn how this process ended


class ParentWatch:
    """Ends this process when the server is gone while torch is being loaded.

    Its thread ends before any fork.
    """

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
        # The server sends no request before it is told that torch is loaded, so readable means the
        # end of the pipe.
        readable, _, _ = select.select([self._requests, self._is_over], [], [])
        if self._requests in readable and not os.read(self._requests, 1):
            os._exit(TROUBLE)


def main() -> None:
    """Load torch, report it, and serve requests until the process ends."""
    requests, replies = task_process.settle()
    # Python 3.12 and later warn of a library's own threads, which the library stops at a fork.
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
