"""Checkpoints of the write-ahead log: small ones after a commit, large ones in a separate thread.

SQLite's automatic checkpoint runs after every commit while a reader blocks it, and scans the whole
write-ahead log each time. These checkpoints run at intervals and wait for no reader.

When another program has held back hundreds of megabytes and then releases them, the writer must not
move them all before its next commit; a second connection moves them. Only a checkpoint between two
commits can reach the end of the write-ahead log, after which SQLite reuses the log from its
beginning, so the writer moves the rest.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from livegrad.errors import LogError

# a checkpoint is due when the write-ahead log has grown by this, or
CHECKPOINT_BYTES = 4 * 1024 * 1024
CHECKPOINT_SECS = 1.0  # this long after the last checkpoint
INLINE_BYTES = 32 * 1024 * 1024  # the most that the committing thread moves, in about 0.1 s
_log = logging.getLogger("livegrad.store.checkpoints")


class Checkpoints:
    """Decides when the write-ahead log is moved into the file, and in which thread.

    One writer at a time.

    `connect` opens another connection, for large checkpoints.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self.held_back_bytes = 0  # in the write-ahead log after the last checkpoint
        self.page_bytes = 0
        self._connect = connect
        # the time of the last checkpoint, and the log's size then
        self._at, self._bytes = time.monotonic(), 0
        self._pool = ThreadPoolExecutor(1, "livegrad checkpoint")
        self._large: Future[None] | None = None

    @property
    def is_under_way(self) -> bool:
        """Return whether a large checkpoint is in progress."""
        return self._large is not None and not self._large.done()

    def follow(self, db: sqlite3.Connection, wal_bytes: int) -> None:
        """Make a checkpoint if one is due. `db` has just committed."""
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
        """Wait until no checkpoint is in progress."""
        self._pool.shutdown()

    def _move_elsewhere(self) -> None:
        try:
            with contextlib.closing(self._connect()) as db:
                self._move(db)
        except (sqlite3.Error, LogError) as error:  # LogError: the file was moved or replaced
            _log.warning("checkpoint of the write-ahead log failed: %s", error)

    def _move(self, db: sqlite3.Connection) -> None:
        try:
            (_, pages, moved) = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:  # committed data stays safe in the write-ahead log
            _log.warning("checkpoint of the write-ahead log failed: %s", error)
            return
        self.held_back_bytes = max(pages - moved, 0) * self.page_bytes
