"""Describes how a process ended and who caused it. Knows nothing of how it was started."""

import contextlib
import signal
from dataclasses import dataclass

from livegrad.process_protocol import FAILED

HINTS = {
    "SIGKILL": "often the system ran out of memory",
    "SIGBUS": "often a disk, or shared memory, was full",
    "SIGILL": "this build of torch may not be made for this processor",
}


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended.

    `code` is negative for a signal, or None if nobody knows it any more. `error` is the error that
    ended it before its connection existed; errors of the loop are sent over the trainer's
    connection.
    """

    code: int | None
    error: str = ""

    @property
    def is_failure(self) -> bool:
        """Return whether the training code or its imports raised an error, which would recur."""
        return self.code == FAILED and bool(self.error)

    def __str__(self) -> str:
        if self.is_failure:
            return f"its process failed: {self.error}"
        if self.code is None:
            return f"its process was lost: {self.error or 'nobody knows how it ended'}"
        if self.error:
            return f"its process could not go on: {self.error}"
        if self.code >= 0:
            return f"its process ended with exit code {self.code}"
        return f"its process was killed by {in_signal_words(-self.code)}"


def in_signal_words(number: int) -> str:
    """Return a signal's name and its usual cause."""
    name = f"signal {number}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(number).name
    return f"{name} ({HINTS[name]})" if name in HINTS else name
