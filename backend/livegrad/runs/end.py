"""How a process ended, in words, and whose fault it was. Knows nothing of how it was started."""

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
    """How a process ended. `code` is negative for a signal; None when nobody knows, since who knew is gone.

    `error` says what it failed by. What the loop raised is told over the trainer's connection; this is for what comes
    before there is any.
    """

    code: int | None
    error: str = ""

    @property
    def is_failure(self) -> bool:
        """Tell whether the training code, or importing what it needs, raised: it would come again."""
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
    """Return a signal's name, and what it often means."""
    name = f"signal {number}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(number).name
    return f"{name} ({HINTS[name]})" if name in HINTS else name
