"""The main program of a spawned process: loads torch, reports it, waits for one task and does it.

Used where processes cannot be forked: on macOS and Windows, and beside a device for which autograd
keeps threads.
"""

import contextlib
import os
import threading
from queue import SimpleQueue

from livegrad.errors import ProtocolError
from livegrad.process_protocol import TROUBLE, Call, Decoder, Start, Started
from livegrad.training import task_process
from livegrad.training.warm import load

PIECE_BYTES = 65536


class Requests:
    """Reads the one request in a thread, then watches for the end of the pipe.

    The end of the pipe means that the server is gone.

    A trainer continues then: its link finds the next server or gives up. Any other task ends at
    once.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._found: SimpleQueue[Start] = SimpleQueue()
        self._ends_with_server = True
        threading.Thread(target=self._read, name="requests", daemon=True).start()

    def get(self) -> Start:
        """Wait for the request and return it."""
        return self._found.get()

    def _read(self) -> None:
        decoder = Decoder()
        with contextlib.suppress(OSError, ProtocolError):
            while data := os.read(self._descriptor, PIECE_BYTES):
                for message in decoder.feed(data):
                    if isinstance(message, Start):
                        self._ends_with_server = isinstance(message.task, Call)
                        self._found.put(message)
        if self._ends_with_server:
            os._exit(TROUBLE)


def main() -> None:
    """Load torch, wait for the task and do it. This is the process's whole life."""
    descriptor, replies = task_process.settle()
    requests = Requests(descriptor)
    ready = load(forks=False)
    with contextlib.suppress(OSError):  # the server is gone; the reading thread notices
        task_process.send(replies, ready)
    if ready.failure is not None:
        task_process.end(0)
    request = requests.get()
    with contextlib.suppress(OSError):
        task_process.send(replies, Started(request.number, os.getpid()))
    task_process.end(task_process.do(request.task, replies))


if __name__ == "__main__":
    main()
