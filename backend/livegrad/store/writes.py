"""The writes to a run: create, begin, describe, append, end, delete.

Each is one step of a transaction.

An append carries its trainer's epoch and is refused once a newer trainer was begun. A trainer's
messages are numbered from 1 within an epoch; each is logged exactly once, in order, together with
the messages before it.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from livegrad.errors import UnknownThing
from livegrad.lifecycle.states import FINAL, State
from livegrad.protocol import Column, Frame
from livegrad.store.blocks import BLOCK
from livegrad.store.entry import Entry
from livegrad.store.frames import insert


@dataclass(frozen=True, slots=True)
class Note:
    """The run's state after `step`, as its trainer reported it.

    If `lr` is None, the report does not contain lr, pace and goal.
    """

    step: int
    state: State
    reason: str | None = None
    goal: int | None = None
    lr: float | None = None
    pace: float | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a trainer.

    Without a number it may be repeated; without frame and note it leaves no trace in the log.
    """

    number: int | None = None
    frame: Frame | None = None
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Create:
    """Add a run without records."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove a run with its whole history."""

    run: str


@dataclass(frozen=True, slots=True)
class Begin:
    """Give the run's next trainer its epoch and store the hash of its secret."""

    run: str
    secret: str


@dataclass(frozen=True, slots=True)
class Describe:
    """Store the columns of the run's records and the points that it is trained on (JSON)."""

    run: str
    epoch: int
    columns: tuple[Column, ...]
    data: str


@dataclass(frozen=True, slots=True)
class Append:
    """Store a trainer's messages, in order."""

    run: str
    epoch: int
    items: tuple[Item, ...]

    @classmethod
    def frames(cls, run: str, epoch: int, *frames: Frame) -> "Append":
        """Return an append of unnumbered records, which may be repeated."""
        return cls(run, epoch, tuple(Item(frame=frame) for frame in frames))


@dataclass(frozen=True, slots=True)
class End:
    """Record that the run's trainer is gone. A final state is kept."""

    run: str
    epoch: int
    state: State
    reason: str


Write = Create | Delete | Begin | Describe | Append | End


@dataclass(frozen=True, slots=True)
class Standing:
    """The log's view of a run after a write."""

    run: str
    state: State
    reason: str | None
    epoch: int
    seq: int
    last_step: int
    goal: int | None
    lr: float
    pace: float | None


@dataclass(frozen=True, slots=True)
class Appended:
    """The result of an append. `taken` has one entry per item: the newly stored part, or None.

    `is_stale`: nothing was stored, because a newer trainer was begun or the run is gone. `gap`: a
    description of what was missing before the first item that was not stored.
    """

    run: str
    epoch: int
    taken: tuple[Item | None, ...] = ()
    last_step: int = -1
    seq: int = 0
    is_stale: bool = False
    gap: str | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """A write that raised an unexpected error. Nothing of it was stored."""

    run: str
    error: Exception


Result = Standing | Appended | Broken | None


def apply(db: sqlite3.Connection, writes: Sequence[Write]) -> list[Result]:
    """Carry out all writes in the open transaction; an error affects only its own write.

    Raises sqlite3.Error when the log as a whole cannot be written.
    """
    return [_apply(db, write) for write in writes]


def _apply(db: sqlite3.Connection, write: Write) -> Result:
    db.execute("SAVEPOINT one")
    try:
        result = _carry_out(db, write)
    except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError) as error:
        result = _undo(db, write, error)
    except sqlite3.Error:
        raise
    except Exception as error:
        result = _undo(db, write, error)
    db.execute("RELEASE one")
    return result


def _undo(db: sqlite3.Connection, write: Write, error: Exception) -> Broken:
    db.execute("ROLLBACK TO one")
    return Broken(write.entry.id if isinstance(write, Create) else write.run, error)


def _carry_out(db: sqlite3.Connection, write: Write) -> Result:
    match write:
        case Append():
            return _append(db, write)
        case Begin():
            return _begin(db, write)
        case End():
            return _end(db, write)
        case Describe():
            return _describe(db, write)
        case Create(entry):
            return _create(db, entry)
        case Delete(run):
            db.execute("DELETE FROM runs WHERE id = ?", (run,))
            return None


def standing(db: sqlite3.Connection, run: str) -> Standing | None:
    """Return the log's view of a run, or None if there is no such run."""
    row = db.execute(
        "SELECT id, state, reason, epoch, seq, last_step, goal, lr, pace FROM runs WHERE id = ?",
        (run,),
    ).fetchone()
    return None if row is None else Standing(row[0], State(row[1]), *row[2:])


def _known(db: sqlite3.Connection, run: str) -> Standing:
    found = standing(db, run)
    if found is None:
        raise UnknownThing(f"there is no run {run!r:.100}")
    return found


def _create(db: sqlite3.Connection, entry: Entry) -> Standing:
    values = {
        "id": entry.id,
        "name": entry.name,
        "config": json.dumps(entry.config),
        "created_at": entry.created_at,
        "state": entry.state,
        "epoch": entry.epoch,
        "lr": entry.lr,
        "pace": entry.pace,
        "last_step": entry.last_step,
        "parent": entry.parent,
        "parent_step": entry.parent_step,
        "compacted": entry.first_step // BLOCK * BLOCK,
    }
    places = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO runs ({', '.join(values)}) VALUES ({places})", tuple(values.values()))
    return _known(db, entry.id)


def _begin(db: sqlite3.Connection, write: Begin) -> Standing:
    # A run that had ended is live again; in any other state, the state says how the new trainer
    # goes on.
    db.execute(
        "UPDATE runs SET epoch = epoch + 1, seq = 0, secret = ?, reason = NULL, "
        "state = CASE state WHEN ? THEN ? ELSE state END WHERE id = ?",
        (write.secret, State.INTERRUPTED, State.STARTING, write.run),
    )
    return _known(db, write.run)


def _end(db: sqlite3.Connection, write: End) -> Standing:
    final = ", ".join("?" * len(FINAL))
    db.execute(
        "UPDATE runs SET state = ?, reason = ? WHERE id = ? AND epoch = ? "
        f"AND state NOT IN ({final})",
        (write.state, write.reason, write.run, write.epoch, *FINAL),
    )
    return _known(db, write.run)


def _describe(db: sqlite3.Connection, write: Describe) -> Standing:
    columns = json.dumps([column.as_json() for column in write.columns])
    db.execute(
        "UPDATE runs SET columns = ?, data = ? WHERE id = ? AND epoch = ?",
        (columns, write.data, write.run, write.epoch),
    )
    return _known(db, write.run)


def _append(db: sqlite3.Connection, write: Append) -> Appended:
    before = standing(db, write.run)
    if before is None or before.epoch != write.epoch:
        return Appended(write.run, write.epoch, is_stale=True)
    now, gap, taken = before, None, list[Item | None]()
    for item in write.items:
        if (gap := _gap(now, item)) is not None:
            break
        now, stored = _take(db, now, item)
        taken.append(stored)
    if now != before:
        db.execute(
            "UPDATE runs SET state = ?, reason = ?, seq = ?, last_step = ?, goal = ?, lr = ?, "
            "pace = ? WHERE id = ?",
            (now.state, now.reason, now.seq, now.last_step, now.goal, now.lr, now.pace, write.run),
        )
    rest = [None] * (len(write.items) - len(taken))
    return Appended(write.run, write.epoch, (*taken, *rest), now.last_step, now.seq, gap=gap)


def _gap(now: Standing, item: Item) -> str | None:
    if item.number is not None and item.number > now.seq + 1:
        return f"message {now.seq + 1} is missing before message {item.number}"
    if now.state in FINAL and item.frame is not None and item.frame.last > now.last_step:
        return f"the run is {now.state}: there is no step after {now.last_step}"
    if item.frame is not None and item.frame.first > now.last_step + 1:
        return f"step {now.last_step + 1} is missing before step {item.frame.first}"
    return None


def _take(db: sqlite3.Connection, now: Standing, item: Item) -> tuple[Standing, Item | None]:
    if item.number is not None:
        if item.number <= now.seq:
            return now, None
        now = replace(now, seq=item.number)
    if item.frame is not None:
        if item.frame.last <= now.last_step:
            return now, None
        fresh = item.frame.since(now.last_step + 1)
        insert(db, now.run, fresh)
        return replace(now, last_step=fresh.last), replace(item, frame=fresh)
    if item.note is not None:
        return _apply_note(db, now, item.note), item
    return now, item


def _apply_note(db: sqlite3.Connection, now: Standing, note: Note) -> Standing:
    if now.state in FINAL:
        return now
    now = replace(now, state=note.state, reason=note.reason)
    if note.lr is None:
        return now
    if (note.lr, note.pace) != (now.lr, now.pace):
        tuned = json.dumps({"lr": note.lr, "pace": note.pace})
        db.execute(
            "INSERT INTO events (run, step, epoch, time, kind, detail) VALUES (?,?,?,?,?,?)",
            (now.run, note.step, now.epoch, time.time(), "tune", tuned),
        )
    return replace(now, goal=note.goal, lr=note.lr, pace=note.pace)
