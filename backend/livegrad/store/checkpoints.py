"""Checkpoints of the write-ahead log: small ones after a commit, large ones in a thread of their own.

SQLite's own checkpoint follows every commit while a reader stands in its way, and looks at the whole
write-ahead log each time. These come at intervals, and wait for no reader. When another program has
held hundreds of megabytes back and lets go, the writer must not move them all before its next commit:
a second connection does. Only a checkpoint between two commits can reach the end of the write-ahead
log, after which SQLite uses it again from its beginning: so the rest is moved by the writer.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

CHECKPOINT_BYTES = 4 * 1024 * 1024  # after so many more in the write-ahead log, or
CHECKPOINT_SECS = 1.0  # so long after the last one, a checkpoint is due
INLINE_BYTES = 32 * 1024 * 1024  # the most that a commit's own thread moves: some 0.1 s
_log = logging.getLogger("livegrad.store.checkpoints")


class Checkpoints:
    """When the write-ahead log is moved into the file, and by whom. Used by one writer at a time.

    `connect` opens a further connection, for large checkpoints.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self.held_back_bytes = 0  # in the write-ahead log after the last checkpoint
        self.page_bytes = 0
        self._connect = connect
        self._at, self._bytes = time.monotonic(), 0  # the last checkpoint, the log's size then
        self._pool = ThreadPoolExecutor(1, "livegrad checkpoint")
        self._large: Future[None] | None = None

    @property
    def is_under_way(self) -> bool:
        """Return whether a large checkpoint is being made."""
        return self._large is not None and not self._large.done()

    def follow(self, db: sqlite3.Connection, wal_bytes: int) -> None:
        """Make a checkpoint if one is due; `db` has just committed."""
        is_due = time.monotonic() - self._at >= CHECKPOINT_SECS
        grown = wal_bytes - self._bytes
        if self.is_under_way or (not is_due and grown < CHECKPOINT_BYTES):
            return
        self._at, self._bytes = time.monotonic(), wal_bytes
        if self.held_back_bytes + max(grown, 0) <= INLINE_BYTES:
            self._move(db)
        else:
            self._large = self._pool.submit(self._move_elsewhere)

    def forget(self) -> None:
        """Note that the write-ahead log is empty."""
        self.held_back_bytes = self._bytes = 0

    def close(self) -> None:
        """Wait until no checkpoint is being made."""
        self._pool.shutdown()

    def _move_elsewhere(self) -> None:
        try:
            with contextlib.closing(self._connect()) as db:
                self._move(db)
        except sqlite3.Error as error:
            _log.warning("the write-ahead log stays as it is: %s", error)

    def _move(self, db: sqlite3.Connection) -> None:
        try:
            (_, pages, moved) = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:  # what was committed is safe where it is
            _log.warning("the write-ahead log stays as it is: %s", error)
            return
        self.held_back_bytes = max(pages - moved, 0) * self.page_bytes
