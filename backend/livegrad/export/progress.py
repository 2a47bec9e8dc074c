"""How far long answers have come, kept for whoever asks meanwhile. Knows nothing of what is answered, or of the web."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from livegrad.errors import Abandoned, LivegradError, UnknownThing

MOST = 64  # answers kept in mind; beyond it the oldest is forgotten
LASTING_SECS = 600.0  # since it was last heard of


@dataclass(slots=True)
class Progress:
    """One answer under way. Written by the thread that makes it, read by the one that is asked."""

    run: str
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    rows_done: int = 0
    rows: int | None = None  # at most; set once they are counted
    detail: str | None = None  # why it failed, in words
    heard_at: float = field(default_factory=time.monotonic)  # of its last change

    def reach(self, rows_done: int, rows: int) -> None:
        """Note how far it is. Raises Abandoned once nobody waits for it any more."""
        if self.state == "cancelled":
            raise Abandoned("nobody waits for it any more")
        self.rows_done, self.rows, self.heard_at = rows_done, rows, time.monotonic()

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Note an error that is raised within."""
        try:
            yield
        except LivegradError as error:
            self.fail(str(error))
            raise
        except Exception:
            self.fail("this is a bug in livegrad; the server's stderr says more")
            raise

    def finish(self) -> None:
        """Note that all of it was made."""
        self.rows_done = self.rows or 0
        self._end("done")

    def cancel(self) -> None:
        """Note that nobody waits for it any more; the next `reach` ends it."""
        self._end("cancelled")

    def fail(self, detail: str) -> None:
        """Note that it cannot be made, and why."""
        self._end("failed", detail)

    def _end(
        self, state: Literal["done", "failed", "cancelled"], detail: str | None = None
    ) -> None:
        if self.state == "running":
            self.state, self.detail, self.heard_at = state, detail, time.monotonic()


class Board:
    """All of them, by the token that whoever asked chose. Belongs to one thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Progress] = {}  # by run and token, the oldest first

    def begin(self, run: str, token: str | None) -> Progress:
        """Return the progress of an answer that begins; the token's last one is forgotten. None: nobody asks."""
        progress = Progress(run)
        if token is not None:
            self._known.pop((run, token), None)
            self._known[run, token] = progress
        self._forget()
        return progress

    def find(self, run: str, token: str) -> Progress:
        """Return the progress of that token's answer. Raises UnknownThing."""
        self._forget()
        if (found := self._known.get((run, token))) is None:
            raise UnknownThing(
                f"nothing was heard of {token!r:.100} in the last {LASTING_SECS / 60:.0f} minutes"
            )
        return found

    def _forget(self) -> None:
        oldest = time.monotonic() - LASTING_SECS
        fresh = [(key, one) for key, one in self._known.items() if one.heard_at >= oldest]
        self._known = dict(fresh[-MOST:])
