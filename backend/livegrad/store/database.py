"""Opens and checks the run log's file, and provides transactions and queries.

One connection writes and a few read. SQLite's errors become LogErrors that say what to do. This
module knows the tables, not their contents.
"""

import contextlib
import logging
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from livegrad.errors import LogError, LogTaken
from livegrad.store.checkpoints import Checkpoints
from livegrad.store.log_files import ENDINGS, LogFiles, keep_from_others, make_file
from livegrad.store.migrations import SCHEMA, VERSION, migrate, pending
from livegrad.store.readers import Readers

APPLICATION_ID = 0x4C475244  # "LGRD"
# after this, the caller is told that another program holds the file, and tries again
WRITER_BUSY_MILLISECONDS = 500
READER_BUSY_MILLISECONDS = 5000  # also the writer's, while the file is opened
READERS = 4
# the size of the write-ahead log's file that SQLite keeps between checkpoints
MAX_JOURNAL_BYTES = 16 * 1024 * 1024
TRUNCATE_MILLISECONDS = 200  # for readers of this process to finish
_MAGIC = b"SQLite format 3\0"
_log = logging.getLogger("livegrad.store.database")


class Database:
    """The SQLite file `path`, used by several threads, one of which writes at a time.

    Raises:
        LogError: the file is not a run log, is damaged, belongs to a newer livegrad, or cannot be
            opened. The file is left as it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._real_path = path.resolve()  # SQLite keeps its other files beside the target of a link
        self._files = LogFiles(self._real_path)
        self._token = secrets.token_hex(8)  # identifies this object as the writer in the file
        self._writing = threading.Lock()
        self._writing_thread: int | None = None  # the thread of the open transaction
        self._writer: sqlite3.Connection | None = None
        self._checkpoints = Checkpoints(self._connect_again)
        self._readers = Readers(self._connect_reader, READERS)
        try:
            self._check()
            self._prepare()
        except sqlite3.Error as error:
            self.close()
            raise LogError(in_words(path, error)) from error
        except OSError as error:
            self.close()
            raise LogError(
                f"{path} cannot be read: {error.strerror}; choose another folder with --data"
            ) from error

    def close(self) -> None:
        """Close every connection after the current queries and transactions."""
        self._readers.close()
        with self._writing:
            if self._writer is not None:
                self._writer.close()
            self._writer = None
        self._checkpoints.close()

    @property
    def held_back_bytes(self) -> int:
        """Return how much of the write-ahead log its readers keep from the file."""
        return self._checkpoints.held_back_bytes

    # -- opening

    def _check(self) -> None:
        # The connection is read-only, so a file that is refused is not touched.
        if not self.path.exists() or self.path.stat().st_size == 0:
            return
        with self.path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise LogError(damaged(self.path, "it is not a database"))
        with contextlib.closing(
            sqlite3.connect(f"{self._real_path.as_uri()}?mode=ro", uri=True)
        ) as db:
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
        make_file(self._real_path)
        self._writer = db = self._connect(READER_BUSY_MILLISECONDS)
        db.execute("PRAGMA wal_autocheckpoint = 0")  # see checkpoints.py
        db.execute(f"PRAGMA journal_size_limit = {MAX_JOURNAL_BYTES}")
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            self._create(db)
        elif migrations := pending(db):
            migrate(db, migrations)
            self._enable_shrinking(db)
        db.execute("PRAGMA journal_mode = WAL")
        with self.transaction(takes_over=True) as db:  # fails if nothing can be written
            db.execute("DELETE FROM owner")
            db.execute("INSERT INTO owner (token) VALUES (?)", (self._token,))
        db.execute(f"PRAGMA busy_timeout = {WRITER_BUSY_MILLISECONDS}")
        (self._checkpoints.page_bytes,) = self.row("PRAGMA page_size")
        for ending in ENDINGS:
            keep_from_others(Path(f"{self._real_path}{ending}"))
        self._files.remember()

    @staticmethod
    def _create(db: sqlite3.Connection) -> None:
        # so that freed pages can be returned to the file system
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(
            f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {VERSION}; COMMIT"
        )

    @staticmethod
    def _enable_shrinking(db: sqlite3.Connection) -> None:
        # The first logs could not shrink. VACUUM needs the file's size once more, so it may fail.
        if db.execute("PRAGMA auto_vacuum").fetchone() == (2,):
            return
        try:
            db.execute("PRAGMA journal_mode = DELETE")  # auto_vacuum cannot be changed under WAL
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
            db.execute("VACUUM")
        except sqlite3.Error as error:
            _log.warning("the run log cannot shrink: %s", error)

    def _connect(self, patience: int) -> sqlite3.Connection:
        db = sqlite3.connect(self._real_path, check_same_thread=False, isolation_level=None)
        db.text_factory = _text
        db.execute(f"PRAGMA busy_timeout = {patience}")
        # Under WAL this is safe against kill -9; a power failure may lose the last seconds.
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def _connect_again(self) -> sqlite3.Connection:
        # A path is opened: had the file been replaced, the connection would use the new file.
        self._files.check()
        db = self._connect(READER_BUSY_MILLISECONDS)
        try:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            self._files.check()
        except BaseException:
            db.close()
            raise
        return db

    def _connect_reader(self) -> sqlite3.Connection:
        db = self._connect_again()
        db.execute("PRAGMA query_only = ON")
        return db

    # -- writing

    @contextmanager
    def transaction(self, takes_over: bool = False) -> Iterator[sqlite3.Connection]:
        """Run the body as one transaction, rolled back if it raises.

        Raises LogError; LogMoved when the file was moved or replaced; LogTaken when another
        livegrad writes it.
        """
        with self._writing, self._sqlite_errors_as_log_errors():
            db = self._open_writer()
            db.execute("BEGIN IMMEDIATE")
            self._writing_thread = threading.get_ident()
            try:
                if not takes_over:
                    self._check_owner(db)
                yield db
                self._files.check()
                db.commit()
            except BaseException:
                db.rollback()
                raise
            finally:
                self._writing_thread = None
            self._checkpoints.follow(db, self._files.wal_bytes)

    def run(self, command: str) -> None:
        """Run a command that makes its own transaction. Raises LogError."""
        with self._writing, self._sqlite_errors_as_log_errors():
            db = self._open_writer()
            self._check_owner(db)
            self._files.check()
            # executescript runs the command to its end even if it returns no rows
            db.executescript(command)
            self._checkpoints.follow(db, self._files.wal_bytes)

    def truncate(self) -> bool:
        """Move the whole write-ahead log into the file; return whether that was possible.

        The file may get shorter.
        """
        with self._writing, self._sqlite_errors_as_log_errors():
            if self._checkpoints.is_under_way:
                return False
            db = self._open_writer()
            self._check_owner(db)
            self._files.check()
            db.execute(f"PRAGMA busy_timeout = {TRUNCATE_MILLISECONDS}")
            try:
                (busy, _, _) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                db.execute(f"PRAGMA busy_timeout = {WRITER_BUSY_MILLISECONDS}")
            if not busy:
                self._checkpoints.forget()
            return not busy

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            raise LogError("the run log is closed: livegrad is stopping")
        return self._writer

    def _check_owner(self, db: sqlite3.Connection) -> None:
        if db.execute("SELECT token FROM owner").fetchone() != (self._token,):
            raise LogTaken(
                f"another livegrad has taken over {self.path}: end this one, or the other and "
                "start this one again"
            )

    # -- reading

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return all rows of a query. Raises LogError."""
        with (
            self._sqlite_errors_as_log_errors(),
            self._reading() as db,
            contextlib.closing(db.execute(query, values)) as cursor,
        ):
            return cursor.fetchall()

    def row(self, query: str, values: Sequence[Any] = ()) -> Any:
        """Return the first row of a query, or None. Raises LogError."""
        with (
            self._sqlite_errors_as_log_errors(),
            self._reading() as db,
            contextlib.closing(db.execute(query, values)) as cursor,
        ):
            return cursor.fetchone()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._writing_thread == threading.get_ident():
            yield self._open_writer()  # so that a transaction sees its own changes
            return
        with self._readers.lent() as db:
            yield db

    @contextmanager
    def _sqlite_errors_as_log_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LogError(in_words(self.path, error)) from error


def _text(stored: bytes) -> str:
    # A damaged text must not prevent the query's other rows from being read.
    return stored.decode(errors="replace")


def _check_kind(path: Path, application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise LogError(
            f"{path} is a database of another program: choose another folder with --data"
        )
    if version > VERSION:
        raise LogError(
            f"{path} was written by a newer livegrad (format {version}, this one reads "
            f"{VERSION}): upgrade livegrad, or choose another folder with --data"
        )


def _unknown(path: Path, version: int) -> str:
    return (
        f"{path} is a run log in a form that this livegrad does not know (format {version}): "
        "open it with the livegrad that wrote it, or choose another folder with --data"
    )


def in_words(path: Path, error: sqlite3.Error) -> str:
    """Return SQLite's error as a message that says what to do about it."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return f"the disk that holds {path.parent} is full: free some space"
        case sqlite3.SQLITE_IOERR:
            return (
                f"the disk that holds {path.parent} fails ({error}): check that it has space and "
                "is still mounted"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return (
                f"{path} cannot be written ({error}): check its permissions, or choose another "
                "folder with --data"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, str(error))
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another program holds {path}: close it"
    return f"{path} cannot be used: {error}"


def damaged(path: Path, why: str) -> str:
    """Return the message that the file is damaged and what to do about it."""
    return (
        f"{path} is damaged ({why}): put a copy of it back, move it away, or choose another folder "
        "with --data"
    )
