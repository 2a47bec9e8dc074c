"""Lends reading connections, one query at a time, from a small pool for all threads.

Knows nothing of the queries.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from livegrad.errors import LogError

WAIT_SECS = 30.0  # for a connection that other threads hold
CLOSE_SECS = 5.0  # for running queries, which are then interrupted


class Readers:
    """A pool of up to `most` connections, which `connect` opens when they are needed."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], most: int) -> None:
        self._connect, self._most = connect, most
        self._idle: list[sqlite3.Connection] = []
        self._lent: set[sqlite3.Connection] = set()
        self._opening = 0
        self._is_closed = False
        self._changed = threading.Condition()

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection.

        Raises LogError when the log is closed, or when all connections are held for too long.
        """
        db = self._take()
        try:
            yield db
        finally:
            self._give_back(db)

    def close(self) -> None:
        """Close every connection; interrupt a query that takes longer than CLOSE_SECS."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            for db in self._idle:
                db.close()
            self._idle.clear()
            if not self._changed.wait_for(self._are_all_back, CLOSE_SECS):
                for db in self._lent:
                    db.interrupt()
                self._changed.wait_for(self._are_all_back, CLOSE_SECS)

    def _are_all_back(self) -> bool:
        return not self._lent and self._opening == 0

    def _take(self) -> sqlite3.Connection:
        end = time.monotonic() + WAIT_SECS
        with self._changed:
            while (
                not self._is_closed
                and not self._idle
                and len(self._lent) + self._opening >= self._most
            ):
                if not self._changed.wait(end - time.monotonic()):
                    raise LogError("too many readers use the run log at once: try again")
            if self._is_closed:
                raise LogError("the run log is closed: livegrad is stopping")
            if self._idle:
                self._lent.add(db := self._idle.pop())
                return db
            self._opening += 1
        return self._open()

    def _open(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = None
        try:
            db = self._connect()
            return db
        finally:
            with self._changed:
                self._opening -= 1
                if db is not None:
                    self._lent.add(db)
                self._changed.notify_all()

    def _give_back(self, db: sqlite3.Connection) -> None:
        with self._changed:
            self._lent.discard(db)
            if self._is_closed:
                db.close()
            else:
                self._idle.append(db)
            self._changed.notify_all()
