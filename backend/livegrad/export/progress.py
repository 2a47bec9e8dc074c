"""Tracks how far exports have come, for clients that ask.

Knows nothing of their contents or of the web.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from livegrad.errors import Abandoned, LivegradError, UnknownThing

MOST = 64  # exports remembered; beyond it the oldest is forgotten
LASTING_SECS = 600.0  # since its last change


@dataclass(slots=True)
class Progress:
    """The progress of one export. One thread writes it, another reads it."""

    run: str
    state: Literal["running", "done", "failed", "cancelled"] = "running"
    rows_done: int = 0
    rows: int | None = None  # at most; set once they are counted
    detail: str | None = None  # why it failed
    heard_at: float = field(default_factory=time.monotonic)  # the time of the last change

    def reach(self, rows_done: int, rows: int) -> None:
        """Note the progress. Raises Abandoned once nobody waits for the export."""
        if self.state == "cancelled":
            raise Abandoned("nobody waits for the export any more")
        self.rows_done, self.rows, self.heard_at = rows_done, rows, time.monotonic()

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Note an error that is raised within the body."""
        try:
            yield
        except LivegradError as error:
            self.fail(str(error))
            raise
        except Exception:
            self.fail("this is a bug in livegrad; the server's stderr says more")
            raise

    def finish(self) -> None:
        """Note that the export is complete."""
        self.rows_done = self.rows or 0
        self._end("done")

    def cancel(self) -> None:
        """Note that nobody waits for the export; the next `reach` ends it."""
        self._end("cancelled")

    def fail(self, detail: str) -> None:
        """Note that the export failed, and why."""
        self._end("failed", detail)

    def _end(
        self, state: Literal["done", "failed", "cancelled"], detail: str | None = None
    ) -> None:
        if self.state == "running":
            self.state, self.detail, self.heard_at = state, detail, time.monotonic()


class Board:
    """The progress of all exports, by the token that the client chose. One thread may use it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Progress] = {}  # by run and token, the oldest first

    def begin(self, run: str, token: str | None) -> Progress:
        """Return the progress of a new export, and forget an earlier one with the same token.

        A token of None means that no client will ask.
        """
        progress = Progress(run)
        if token is not None:
            self._known.pop((run, token), None)
            self._known[run, token] = progress
        self._forget()
        return progress

    def find(self, run: str, token: str) -> Progress:
        """Return the progress of the export with this token. Raises UnknownThing."""
        self._forget()
        if (found := self._known.get((run, token))) is None:
            raise UnknownThing(
                f"there was no export {token!r:.100} in the last {LASTING_SECS / 60:.0f} minutes"
            )
        return found

    def _forget(self) -> None:
        oldest = time.monotonic() - LASTING_SECS
        fresh = [(key, one) for key, one in self._known.items() if one.heard_at >= oldest]
        self._known = dict(fresh[-MOST:])
