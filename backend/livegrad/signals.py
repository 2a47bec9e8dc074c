"""Handles the signals that ask the program to end: Ctrl-C, SIGTERM, a closed terminal.

Knows nothing of what ends.
"""

import atexit
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Ending:
    """Handles the program's signals from its first line to its last.

    `asked` is the number of signals received. `take` is called for each one once it is set; before
    that, a signal raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.take: Callable[[], None] | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Count a signal and pass it on."""
        self.asked += 1
        if self.take is None:
            raise KeyboardInterrupt
        self.take()

    @contextmanager
    def handling(self) -> Iterator[None]:
        """Handle the signals in the body, then restore the former handlers.

        Signals are ignored while the interpreter exits.
        """
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
    # nohup ignores SIGHUP on purpose.
    hangup = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


def _ignore() -> None:
    # Another Ctrl-C while the interpreter exits would print a traceback and change the exit code.
    for number in _ending_signals():
        signal.signal(number, signal.SIG_IGN)
