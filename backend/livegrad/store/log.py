"""The run log: every run and every record it ever made, in one SQLite file. Knows nothing of sockets or torch.

A row of chunks is a frame's payload, as the trainer sent it, until its block of steps is settled. An append carries
its trainer's epoch and is refused inside the same transaction when a newer trainer has been started.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from livegrad.errors import LivegradError, RunDamaged, UnknownThing
from livegrad.lifecycle import State
from livegrad.protocol import RECORDS, Column, Frame, columns_from_json, record_bytes
from livegrad.store.compression import unpack
from livegrad.store.database import Database
from livegrad.store.summary import BLOCK

FRAMES_AT_ONCE = 16  # read in one go: whoever reads slowly must not hold the file's past
_logger = logging.getLogger("livegrad.store.log")


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


class RunLog(Database):
    """The run log in the file `path`; safe to use from several threads, one of them writing. Raises LogError."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._damage: dict[str, str] = {}  # by run: why it cannot be read
        self._lengths: dict[str, int] = {}  # by run: of one of its records, once its columns are known
        try:
            for entry in self.runs():
                self._check_newest(entry)
        except BaseException:
            self.close()
            raise

    # -- damage

    def damaged_runs(self) -> dict[str, str]:
        """Return, by run, why it cannot be read: of those found so far. `runs` leaves them out."""
        return dict(self._damage)

    def note_damage(self, run: str, reason: str) -> None:
        """Take a run for damaged from now on; it is said once."""
        if run not in self._damage:
            self._damage[run] = reason
            _logger.warning("%s", reason)

    def _check_newest(self, entry: Entry) -> None:
        # Each goes on from its newest record.
        try:
            if self.frame(entry.id, entry.last_step) is None and entry.last_step >= entry.first_step:
                raise damaged_run(entry.id, f"the record of its newest step, {entry.last_step}, is missing")
        except RunDamaged as error:
            self.note_damage(entry.id, str(error))

    # -- runs

    def create(self, entry: Entry) -> None:
        """Add a run without records."""
        with self.transaction() as db:
            db.execute(
                "INSERT INTO runs (id, name, config, created_at, state, epoch, lr, pace, last_step, "
                "parent, parent_step, settled) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
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
                    entry.first_step // BLOCK * BLOCK,
                ),
            )

    def delete(self, run: str) -> None:
        """Remove a run and its whole history."""
        with self.transaction() as db:
            db.execute("DELETE FROM runs WHERE id = ?", (run,))

    def runs(self) -> list[Entry]:
        """Return every run that can be read, newest first, whatever the clock said when they were made."""
        found: list[Entry] = []
        for row in self.rows(f"SELECT {_FIELDS} FROM runs ORDER BY rowid DESC"):
            try:
                found.append(_entry(row))
            except RunDamaged as error:
                self.note_damage(row[0], str(error))
        return [entry for entry in found if entry.id not in self._damage]

    def columns(self, run: str) -> tuple[Column, ...]:
        """Return the columns of the run's records; none when there is no such run. Raises RunDamaged."""
        row = self.row("SELECT columns FROM runs WHERE id = ?", (run,))
        return _columns(run, row[0]) if row else ()

    def begin_epoch(self, run: str, secret: str) -> int:
        """Count one more trainer for the run, known by the hash `secret`; return its epoch."""
        with self.transaction() as db:
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
        with self.transaction() as db:
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
            insert(db, batch.run, fresh)
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
        """Yield what is kept of the records from step `first` to step `last`, both included, in order.

        Raises RunDamaged.
        """
        length = self._record_bytes(run)
        while first <= last:
            rows = self.rows(
                f"SELECT {FRAME_FIELDS} FROM chunks WHERE run = ?1 AND first <= ?3 AND first >= "
                "coalesce((SELECT max(first) FROM chunks WHERE run = ?1 AND first <= ?2), 0) ORDER BY first LIMIT ?4",
                (run, first, last, FRAMES_AT_ONCE),
            )
            for row in rows:
                if row[0] + row[1] > first:
                    yield frame_of(row, run, length).since(first).until(last)
            if len(rows) < FRAMES_AT_ONCE:
                return
            first = rows[-1][0] + rows[-1][1]

    def _record_bytes(self, run: str) -> int:
        # 0 as long as its columns are not known; they do not change.
        if (length := self._lengths.get(run, 0)) == 0 and (length := record_bytes(self.columns(run))):
            self._lengths[run] = length
        return length

    def frame(self, run: str, step: int) -> Frame | None:
        """Return the record of `step` as a frame, or None when there is none."""
        return next(self.frames(run, step, step), None)

    def history(self, run: str) -> "History":
        """Return the run's records and digests, to be read. Raises UnknownThing."""
        row = self.row("SELECT parent_step, settled FROM runs WHERE id = ?", (run,))
        if row is None:
            raise UnknownThing(f"there is no run {run!r}")
        return History(self, run, row[0] or 0, row[1])

    def kept(self, run: str) -> list[tuple[int, int]]:
        """Return the first and last step of each stretch of steps whose records are there, in order."""
        found: list[tuple[int, int]] = []
        for first, count in self.rows("SELECT first, count FROM chunks WHERE run = ? ORDER BY first", (run,)):
            begun = found.pop()[0] if found and found[-1][1] == first - 1 else first
            found.append((begun, first + count - 1))
        return found

    def nearest(self, run: str, step: int) -> list[int]:
        """Return the last step before `step`, and the first one after it, whose records are there."""
        before = self.row(
            "SELECT first + count - 1 FROM chunks WHERE run = ? AND first < ? ORDER BY first DESC",
            (run, step),
        )
        after = self.row("SELECT first FROM chunks WHERE run = ? AND first > ? ORDER BY first", (run, step))
        return [row[0] for row in (before, after) if row is not None]

    def tuning(self, run: str, step: int) -> tuple[float, float | None]:
        """Return the learning rate and the pace in force after `step`. Raises UnknownThing."""
        row = self.row(
            "SELECT detail FROM events WHERE run = ? AND kind = 'tune' AND step <= ? ORDER BY rowid DESC LIMIT 1",
            (run, step),
        )
        if row is not None:
            tuned = _object(run, "an event", row[0])
            return float(tuned["lr"]), tuned["pace"]
        row = self.row("SELECT config FROM runs WHERE id = ?", (run,))
        if row is None:
            raise UnknownThing(f"there is no run {run!r}")
        config = _object(run, "its configuration", row[0])
        return float(config["optimizer"]["lr"]), config["pace"]

    def events(self, run: str) -> list[dict[str, Any]]:
        """Return what happened to the run, in order."""
        rows = self.rows("SELECT step, time, kind, detail FROM events WHERE run = ? ORDER BY rowid", (run,))
        return [{"step": s, "time": t, "kind": k, **_object(run, "an event", d)} for s, t, k, d in rows]


@dataclass(frozen=True, slots=True)
class History:
    """One run's records and digests. Digests end before step `settled`."""

    log: RunLog
    run: str
    first_step: int
    settled: int

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """Yield what is kept of the records from step `first` to step `last`, both included, in order."""
        return self.log.frames(self.run, first, last)

    def digests(self, size: int, first: int, last: int) -> list[bytes]:
        """Return the digests of all blocks of `size` steps that have any of these steps, in order."""
        rows = self.log.rows(
            "SELECT payload FROM digests WHERE run = ? AND size = ? AND first > ? AND first <= ? ORDER BY first",
            (self.run, size, first - size, last),
        )
        return [payload for (payload,) in rows]

    def element_digests(self, size: int, first: int, last: int) -> list[tuple[int, bytes]]:
        """Return such blocks' digests of single elements, each with its block's first step; some may have none."""
        return self.log.rows(
            "SELECT first, payload FROM element_digests WHERE run = ? AND size = ? AND first > ? AND first <= ? "
            "ORDER BY first",
            (self.run, size, first - size, last),
        )


FRAME_FIELDS = "first, count, epoch, time, is_packed, payload"


def frame_of(row: Any, run: str, length: int) -> Frame:
    """Return the frame that a row of chunks, FRAME_FIELDS, holds; `length` is a record's, 0 when it is not known.

    Raises RunDamaged.
    """
    first, count, epoch, finished_at, is_packed, payload = row
    try:
        whole = unpack(payload, count) if is_packed else payload
    except RunDamaged as error:
        raise damaged_run(run, f"the records of step {first} on: {error}") from error
    if count < 1 or len(whole) % (4 * count) or (length and len(whole) != count * length):
        raise damaged_run(run, f"the {count} records of step {first} on are {len(whole)} bytes long")
    return Frame(RECORDS, count, first, epoch, 0, finished_at, whole)


def damaged_run(run: str, what: str) -> RunDamaged:
    """Return the error that says so, and what to do about it."""
    return RunDamaged(
        f"run {run} is damaged in the run log ({what}); the other runs are not: delete it, "
        "or put a copy of the log back"
    )


def insert(db: sqlite3.Connection, run: str, frame: Frame, is_packed: bool = False) -> None:
    """Store a frame; its payload is packed already if it says so. One that is not is parted at its blocks' ends."""
    end = frame.first // BLOCK * BLOCK + BLOCK - 1
    rest = frame
    while not is_packed and rest.last > end:
        insert(db, run, rest.until(end))
        rest, end = rest.since(end + 1), end + BLOCK
    db.execute(
        "INSERT INTO chunks (run, first, count, epoch, time, is_packed, payload) VALUES (?,?,?,?,?,?,?)",
        (run, rest.first, rest.count, rest.epoch, rest.time, is_packed, rest.payload),
    )


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
    entry.config = _object(entry.id, "its configuration", row[2])
    entry.data = _object(entry.id, "its data", row[11])
    entry.columns = _columns(entry.id, row[10])
    try:
        entry.state = State(entry.state)
    except ValueError as error:
        raise damaged_run(entry.id, f"its state: {error}") from error
    return entry


def _object(run: str, what: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise damaged_run(run, f"{what}: {error}") from error
    if not isinstance(found, dict) or not text.isascii():  # as it was written
        raise damaged_run(run, f"{what} is not as it was written")
    return found


def _columns(run: str, text: str) -> tuple[Column, ...]:
    try:
        return columns_from_json(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, LivegradError) as error:
        raise damaged_run(run, f"its columns: {error}") from error
