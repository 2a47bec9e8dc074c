"""What asks the program to end: Ctrl-C, SIGTERM, a closed terminal. Knows nothing of what is to end."""

import atexit
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Ending:
    """Takes the signals of one program, from its first line to its last.

    `asked`: how many have come. `take`: called for each one, from then on that there is something to end in good
    order; before, a signal raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.take: Callable[[], None] | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note a signal, and pass it on."""
        self.asked += 1
        if self.take is None:
            raise KeyboardInterrupt
        self.take()

    @contextmanager
    def handling(self) -> Iterator[None]:
        """Take the signals; afterwards they are again whose they were, until the interpreter itself ends."""
        before = {number: signal.signal(number, self) for number in _ending_signals()}
        try:
            yield
        finally:
            for number, former in before.items():
                signal.signal(number, former)
            atexit.register(_ignore)


def _ending_signals() -> list[signal.Signals]:
    if sys.platform == "win32":
        return [signal.SIGINT, signal.SIGTERM, signal.SIGBREAK]
    # nohup has SIGHUP ignored, and means it.
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


def _ignore() -> None:
    # One more Ctrl-C while the interpreter clears up would leave a traceback, and an exit code of its own.
    for number in _ending_signals():
        signal.signal(number, signal.SIG_IGN)
