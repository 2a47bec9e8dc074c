"""Connections that read, lent for one query each: a few for all threads. Knows nothing of what they read."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from livegrad.errors import LogError

WAIT_SECS = 30.0  # for another thread's query
CLOSE_SECS = 5.0  # for the queries under way; then they are broken off


class Readers:
    """Up to `most` connections, made by `connect` when they are wanted."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], most: int) -> None:
        self._connect, self._most = connect, most
        self._idle: list[sqlite3.Connection] = []
        self._lent: set[sqlite3.Connection] = set()
        self._opening = 0
        self._is_closed = False
        self._changed = threading.Condition()

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection. Raises LogError when the log is closed, and when others keep them all for too long."""
        db = self._take()
        try:
            yield db
        finally:
            self._give_back(db)

    def close(self) -> None:
        """Close every connection; a query that takes longer than CLOSE_SECS is broken off."""
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
                    raise LogError("the run log is being read by too many at once: try again")
            if self._is_closed:
                raise LogError("the run log is closed: livegrad ends")
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
