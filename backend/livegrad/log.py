"""The run log: every run and every record it ever made, in one SQLite file. Knows nothing of sockets or torch.

Records are stored as the bytes that the trainer sent, a chunk (a frame's payload) a row. An append carries its
trainer's epoch and is refused inside the same transaction when a newer trainer has been started.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from livegrad.errors import LogError, UnknownThing
from livegrad.lifecycle import State
from livegrad.protocol import Column, Frame, columns_from_json, record_bytes

APPLICATION_ID = 0x4C475244  # "LGRD"
SCHEMA_VERSION = 1
BUSY_MILLISECONDS = 5000

_SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    config TEXT NOT NULL,
    created_at REAL NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    secret TEXT NOT NULL DEFAULT '',
    lr REAL NOT NULL,
    pace REAL,
    goal INTEGER,
    columns TEXT NOT NULL DEFAULT '[]',
    data TEXT NOT NULL DEFAULT '{}',
    last_step INTEGER NOT NULL DEFAULT -1,
    parent TEXT,
    parent_step INTEGER
) STRICT;
CREATE TABLE chunks (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    time REAL NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (run, first)
) STRICT;
CREATE TABLE events (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    time REAL NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_run ON events (run, step);
"""


@dataclass(slots=True)
class Entry:
    """A run as the log keeps it. `last_step` is one less than `first_step` before the first record."""

    id: str
    name: str
    config: dict[str, Any]
    created_at: float
    state: State
    reason: str | None
    epoch: int
    secret: str
    lr: float
    pace: float | None
    columns: tuple[Column, ...]
    data: dict[str, Any]
    last_step: int
    parent: str | None = None  # the run that it continues, even when that is deleted
    parent_step: int | None = None
    goal: int | None = None  # the step at which a `step` command under way is done

    @property
    def first_step(self) -> int:
        """Return the step of its first record: 0, or the one at which it left its parent."""
        return self.parent_step or 0

    @property
    def record_bytes(self) -> int:
        """Return the length of one of its records; 0 before they are known."""
        return record_bytes(self.columns)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a run at `step`: a state, a tuning, a new trainer."""

    step: int
    kind: str
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Batch:
    """What one run has to append: frames and events of one epoch, and its row's new values."""

    run: str
    epoch: int
    frames: list[Frame] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: these frames newly stored, up to `last_step`; or refused as a whole.

    It is refused for its epoch, or for a `gap`, in words: steps were left out.
    """

    run: str
    refused: bool
    frames: list[Frame]
    last_step: int
    gap: str | None = None


class RunLog:
    """The run log in the file `path`; safe to use from several threads, one of them writing.

    Raises:
        LogError: the file is not a run log, belongs to a newer livegrad, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()  # one connection a thread
        self._opened: list[sqlite3.Connection] = []
        self._writing = threading.Lock()
        try:
            self._prepare()
        except sqlite3.Error as error:
            raise LogError(f"cannot open the run log {path}: {error}") from error

    def _prepare(self) -> None:
        db = self._db
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA}; PRAGMA application_id = {APPLICATION_ID};")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.commit()
        elif application != APPLICATION_ID:
            raise LogError(f"{self.path} is a database of another program: choose another folder with --data")
        elif version > SCHEMA_VERSION:
            raise LogError(
                f"{self.path} was written by a newer livegrad (format {version}, this one reads {SCHEMA_VERSION}): "
                "upgrade livegrad, or choose another folder with --data"
            )

    @property
    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            db.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            db.execute(
                "PRAGMA synchronous = NORMAL"
            )  # safe against kill -9 under WAL; power loss may cost seconds
            db.execute("PRAGMA foreign_keys = ON")
            self._local.db = db
            self._opened.append(db)
        return db

    def close(self) -> None:
        """Close every connection. No other thread may be using the log."""
        for db in self._opened:
            db.close()
        self._opened.clear()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing:
            db = self._db
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()

    # -- runs

    def create(self, entry: Entry) -> None:
        """Add a run without records."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO runs (id, name, config, created_at, state, epoch, lr, pace, last_step, "
                "parent, parent_step) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                (
                    entry.id,
                    entry.name,
                    json.dumps(entry.config),
                    entry.created_at,
                    entry.state,
                    entry.epoch,
                    entry.lr,
                    entry.pace,
                    entry.last_step,
                    entry.parent,
                    entry.parent_step,
                ),
            )

    def delete(self, run: str) -> None:
        """Remove a run and its whole history."""
        with self._transaction() as db:
            db.execute("DELETE FROM runs WHERE id = ?", (run,))

    def runs(self) -> list[Entry]:
        """Return every run, newest first."""
        rows = self._db.execute(f"SELECT {_FIELDS} FROM runs ORDER BY created_at DESC, rowid DESC")
        return [_entry(row) for row in rows]

    def columns(self, run: str) -> tuple[Column, ...]:
        """Return the columns of the run's records; none when there is no such run."""
        row = self._db.execute("SELECT columns FROM runs WHERE id = ?", (run,)).fetchone()
        return columns_from_json(json.loads(row[0])) if row else ()

    def begin_epoch(self, run: str, secret: str) -> int:
        """Count one more trainer for the run, known by the hash `secret`; return its epoch."""
        with self._transaction() as db:
            row = db.execute(
                "UPDATE runs SET epoch = epoch + 1, secret = ? WHERE id = ? RETURNING epoch", (secret, run)
            ).fetchone()
        if row is None:
            raise UnknownThing(f"there is no run {run!r}")
        return int(row[0])

    # -- appending

    def append(self, batches: Sequence[Batch]) -> list[Appended]:
        """Store what all runs have to append, in one transaction; what is already there is left out.

        A batch of an older epoch than its run's is refused as a whole; the others are not touched by that.
        """
        with self._transaction() as db:
            return [self._append_one(db, batch) for batch in batches]

    def _append_one(self, db: sqlite3.Connection, batch: Batch) -> Appended:
        row = db.execute("SELECT epoch, last_step FROM runs WHERE id = ?", (batch.run,)).fetchone()
        if row is None or row[0] != batch.epoch:
            return Appended(batch.run, True, [], -1)
        last_step = int(row[1])
        if (gap := _gap(batch.frames, last_step)) is not None:
            return Appended(batch.run, True, [], last_step, gap)
        stored: list[Frame] = []
        for frame in batch.frames:
            if frame.last <= last_step:
                continue
            fresh = frame.since(last_step + 1)
            db.execute(
                "INSERT INTO chunks VALUES (?,?,?,?,?,?)",
                (batch.run, fresh.first, fresh.count, fresh.epoch, fresh.time, fresh.payload),
            )
            last_step = fresh.last
            stored.append(fresh)
        self._write_rest(db, batch, last_step)
        return Appended(batch.run, False, stored, last_step)

    def _write_rest(self, db: sqlite3.Connection, batch: Batch, last_step: int) -> None:
        now = time.time()
        for event in batch.events:
            db.execute(
                "INSERT INTO events VALUES (?,?,?,?,?,?)",
                (batch.run, event.step, batch.epoch, now, event.kind, json.dumps(event.detail)),
            )
        changes = batch.changes | {"last_step": last_step}
        assignments = ", ".join(f"{name} = ?" for name in changes)
        db.execute(f"UPDATE runs SET {assignments} WHERE id = ?", (*changes.values(), batch.run))

    # -- reading

    def frames(self, run: str, first: int, last: int) -> Iterator[Frame]:
        """Yield the records from step `first` to step `last`, both included, in order, as they were stored."""
        rows = self._db.execute(
            "SELECT first, count, epoch, time, payload FROM chunks WHERE run = ?1 AND first <= ?3 AND first >= "
            "coalesce((SELECT max(first) FROM chunks WHERE run = ?1 AND first <= ?2), 0) ORDER BY first",
            (run, first, last),
        )
        for start, count, epoch, finished_at, payload in rows:
            frame = Frame(1, count, start, epoch, 0, finished_at, payload)
            if frame.last >= first:
                yield frame.since(first).until(last)

    def frame(self, run: str, step: int) -> Frame | None:
        """Return the record of `step` as a frame, or None when there is none."""
        return next(self.frames(run, step, step), None)

    def tuning(self, run: str, step: int) -> tuple[float, float | None]:
        """Return the learning rate and the pace in force after `step`. Raises UnknownThing."""
        row = self._db.execute(
            "SELECT detail FROM events WHERE run = ? AND kind = 'tune' AND step <= ? ORDER BY rowid DESC LIMIT 1",
            (run, step),
        ).fetchone()
        if row is not None:
            tuned = json.loads(row[0])
            return float(tuned["lr"]), tuned["pace"]
        row = self._db.execute("SELECT config FROM runs WHERE id = ?", (run,)).fetchone()
        if row is None:
            raise UnknownThing(f"there is no run {run!r}")
        config = json.loads(row[0])
        return float(config["optimizer"]["lr"]), config["pace"]

    def events(self, run: str) -> list[dict[str, Any]]:
        """Return what happened to the run, in order."""
        rows = self._db.execute(
            "SELECT step, time, kind, detail FROM events WHERE run = ? ORDER BY rowid", (run,)
        )
        return [{"step": s, "time": t, "kind": k, **json.loads(d)} for s, t, k, d in rows]


def _gap(frames: Sequence[Frame], last_step: int) -> str | None:
    for frame in frames:
        if frame.first > last_step + 1:
            return f"step {last_step + 1} is missing before step {frame.first}"
        last_step = max(last_step, frame.last)
    return None


_FIELDS = (
    "id, name, config, created_at, state, reason, epoch, secret, lr, pace, columns, data, last_step, "
    "parent, parent_step, goal"
)


def _entry(row: tuple[Any, ...]) -> Entry:
    entry = Entry(*row)
    entry.config, entry.data = json.loads(row[2]), json.loads(row[11])
    entry.state = State(entry.state)
    entry.columns = columns_from_json(json.loads(row[10]))
    return entry
