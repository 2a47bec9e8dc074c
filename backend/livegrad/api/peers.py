"""What a server can tell of a connection's other end: whether it reads, and whether it says too much.

Knows nothing of what is said.
"""

import asyncio
import struct
import sys
from collections.abc import Callable

Clock = Callable[[], float]  # seconds


class Reader:
    """Tells for how long the peer of `transport` has taken nothing of what waits for it."""

    def __init__(self, transport: asyncio.Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._waiting = 0  # bytes, when it was last looked at
        self._since = clock()  # when it last took something, or nothing waited

    def note_progress(self) -> None:
        """Note that it has just taken something."""
        self._since = self._clock()

    def idle_secs(self) -> float:
        """Return how many seconds it has taken nothing; 0 while nothing waits. To be asked again and again."""
        waiting = self._transport.get_write_buffer_size() + _in_kernel(self._transport)
        if waiting == 0 or waiting < self._waiting:
            self.note_progress()
        self._waiting = waiting
        return self._clock() - self._since


def _in_kernel(transport: asyncio.Transport) -> int:
    # Bytes that the system has taken and the peer has not acknowledged. It takes megabytes: a slow download that goes
    # on may show nothing else for minutes.
    if sys.platform == "win32":
        return 0
    import fcntl
    import termios

    try:
        socket = transport.get_extra_info("socket")
        answer = fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4))
    except (AttributeError, OSError, ValueError):  # closed meanwhile, or no TCP
        return 0
    return int(struct.unpack("i", answer)[0])


class Allowance:
    """How much a peer may say: `per_sec` in the long run, `at_once` after a silence."""

    def __init__(self, per_sec: float, at_once: int, clock: Clock) -> None:
        self._per_sec, self._at_once, self._clock = per_sec, at_once, clock
        self._left = float(at_once)
        self._at = clock()

    def take(self, count: int) -> bool:
        """Take `count` off; return whether there was so much left."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_sec) - count
        self._at = now
        return self._left >= 0
