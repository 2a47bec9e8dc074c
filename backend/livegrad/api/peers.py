"""Observes a connection's peer: whether it reads, and whether it sends too much.

Knows nothing of the contents.
"""

import asyncio
import struct
import sys
from collections.abc import Callable

Clock = Callable[[], float]  # seconds


class Reader:
    """Measures for how long the peer of `transport` has read nothing of the waiting bytes."""

    def __init__(self, transport: asyncio.Transport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._waiting = 0  # bytes at the last check
        self._since = clock()  # when the peer last read something, or nothing was waiting

    def note_progress(self) -> None:
        """Note that the peer has just read something."""
        self._since = self._clock()

    def idle_secs(self) -> float:
        """Return for how many seconds the peer has read nothing; 0 while nothing waits.

        It must be called regularly.
        """
        waiting = self._transport.get_write_buffer_size() + _in_kernel(self._transport)
        if waiting == 0 or waiting < self._waiting:
            self.note_progress()
        self._waiting = waiting
        return self._clock() - self._since


def _in_kernel(transport: asyncio.Transport) -> int:
    # Returns the bytes that the system holds and the peer has not acknowledged. The system's buffer
    # holds megabytes: a slow download may show no other progress for minutes.
    if sys.platform == "win32":
        return 0
    import fcntl
    import termios

    try:
        socket = transport.get_extra_info("socket")
        answer = fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4))
    except (AttributeError, OSError, ValueError):  # closed in the meantime, or not TCP
        return 0
    return int(struct.unpack("i", answer)[0])


class Allowance:
    """A budget of messages: `per_sec` in the long run, `at_once` after a silence."""

    def __init__(self, per_sec: float, at_once: int, clock: Clock) -> None:
        self._per_sec, self._at_once, self._clock = per_sec, at_once, clock
        self._left = float(at_once)
        self._at = clock()

    def take(self, count: int) -> bool:
        """Spend `count`; return whether that much was left."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_sec) - count
        self._at = now
        return self._left >= 0
