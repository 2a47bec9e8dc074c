"""The run log's file: opened, checked, and used one transaction at a time. Knows the tables, not what is in them.

Whatever SQLite says against it becomes a LogError that tells what to do.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from livegrad.errors import LogError
from livegrad.store.migrations import SCHEMA, VERSION, migrate, pending

APPLICATION_ID = 0x4C475244  # "LGRD"
BUSY_MILLISECONDS = 5000
MAX_JOURNAL_BYTES = 16 * 1024 * 1024  # what the write-ahead log's file keeps for itself between checkpoints
_MAGIC = b"SQLite format 3\0"


class Database:
    """The file `path`: a connection for each thread that asks, one thread writing at a time.

    Raises:
        LogError: the file is not a run log, is damaged, belongs to a newer livegrad, or cannot be opened. It is left
            as it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()  # one connection a thread
        self._opened: list[sqlite3.Connection] = []
        self._writing = threading.Lock()
        try:
            self._check()
            self._prepare()
        except sqlite3.Error as error:
            self.close()
            raise LogError(in_words(path, error)) from error
        except OSError as error:
            raise LogError(
                f"{path} cannot be read: {error.strerror}; choose another folder with --data"
            ) from error

    def _check(self) -> None:
        # By a connection that cannot write: a file that is refused is not touched.
        if not self.path.exists() or self.path.stat().st_size == 0:
            return
        with self.path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise LogError(damaged(self.path, "it is not a database"))
        with contextlib.closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            (application,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
            (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if tables == 0:
                return
            _check_kind(self.path, application, version)
            (verdict,) = db.execute("PRAGMA quick_check('runs')").fetchone()
            if verdict != "ok":
                raise LogError(damaged(self.path, verdict))
            if pending(db) is None:
                raise LogError(_unknown(self.path, version))

    def _prepare(self) -> None:
        (tables,) = self.db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            self.db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # so that what is let go can leave the file
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.executescript(
                f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
                f"PRAGMA user_version = {VERSION}; COMMIT"
            )
        self.db.execute("BEGIN IMMEDIATE")
        self.db.execute(f"PRAGMA user_version = {self.db.execute('PRAGMA user_version').fetchone()[0]}")
        self.db.rollback()  # it fails where nothing can be written
        if migrations := pending(self.db):
            migrate(self.db, migrations)

    @property
    def db(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            db.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            # Safe against kill -9 under WAL; power loss may cost seconds.
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute(f"PRAGMA journal_size_limit = {MAX_JOURNAL_BYTES}")
            self._local.db = db
            self._opened.append(db)
        return db

    def close(self) -> None:
        """Close every connection. No other thread may be using the file."""
        for db in self._opened:
            db.close()
        self._opened.clear()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do it all or nothing. Raises LogError."""
        with self._writing, self._told():
            db = self.db
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.commit()
            except BaseException:
                db.rollback()
                raise

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return what a query finds. Raises LogError."""
        with self._told():
            return self.db.execute(query, values).fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> Any:
        """Return the first row that a query finds, or None. Raises LogError."""
        with self._told():
            return self.db.execute(query, values).fetchone()

    def run(self, command: str) -> None:
        """Carry out a command that makes its own transaction. Raises LogError."""
        with self._writing, self._told():
            self.db.executescript(command)  # which goes on to the command's end even when it returns no rows

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LogError(in_words(self.path, error)) from error


def _check_kind(path: Path, application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise LogError(f"{path} is a database of another program: choose another folder with --data")
    if version > VERSION:
        raise LogError(
            f"{path} was written by a newer livegrad (format {version}, this one reads {VERSION}): "
            "upgrade livegrad, or choose another folder with --data"
        )


def _unknown(path: Path, version: int) -> str:
    return (
        f"{path} is a run log of a form that this livegrad does not know (format {version}): open it with the livegrad "
        "that wrote it, or choose another folder with --data"
    )


def in_words(path: Path, error: sqlite3.Error) -> str:
    """Return what SQLite says, and what to do about it."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return f"the disk that holds {path.parent} is full: free some space"
        case sqlite3.SQLITE_IOERR:
            return (
                f"the disk that holds {path.parent} fails ({error}): see that it has space and is still there"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return (
                f"{path} cannot be written ({error}): see to its rights, or choose another folder with --data"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, str(error))
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another program holds {path}: close it"
    return f"{path} cannot be used: {error}"


def damaged(path: Path, why: str) -> str:
    """Return that the file is damaged, and what to do about it."""
    return f"{path} is damaged ({why}): put a copy of it back, move it away, or choose another folder with --data"
