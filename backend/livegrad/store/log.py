"""The run log: every run and every record, in one SQLite file. Knows nothing of sockets or torch.

Until its block is compacted, a row of chunks is a frame's payload as the trainer sent it. An append
carries its trainer's epoch and is refused, inside the same transaction, once a newer trainer was
started.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livegrad.errors import RunDamaged, UnknownThing
from livegrad.protocol import Column, Frame, record_bytes
from livegrad.store.damage import columns_of_text, damaged_run, object_of
from livegrad.store.database import Database
from livegrad.store.entry import FIELDS, Entry, entry_of
from livegrad.store.frames import FRAME_FIELDS, frame_of
from livegrad.store.writes import Result, Write, apply

FRAMES_AT_ONCE = 16  # per query, so that a slow caller does not hold back checkpoints
_logger = logging.getLogger("livegrad.store.log")


class RunLog(Database):
    """The run log in the file `path`.

    Several threads may use it, one of which writes. Raises LogError.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._damage: dict[str, str] = {}  # by run: why it cannot be read
        # by run: bytes of one record, once the columns are known
        self._lengths: dict[str, int] = {}
        try:
            for entry in self.runs():
                self._check_newest(entry)
        except BaseException:
            self.close()
            raise

    # -- damage

    def damaged_runs(self) -> dict[str, str]:
        """Return, by run, why it cannot be read, for the damage found so far.

        `runs` leaves these runs out.
        """
        return dict(self._damage)

    def note_damage(self, run: str, reason: str) -> None:
        """Treat a run as damaged from now on, and log that once."""
        if run not in self._damage:
            self._damage[run] = reason
            _logger.warning("%s", reason)

    def _check_newest(self, entry: Entry) -> None:
        # A run goes on from its newest record, so that record must be readable.
        try:
            if (
                self.frame(entry.id, entry.last_step) is None
                and entry.last_step >= entry.first_step
            ):
                raise damaged_run(
                    entry.id, f"the record of its newest step, {entry.last_step}, is missing"
                )
        except RunDamaged as error:
            self.note_damage(entry.id, str(error))

    # -- runs

    def runs(self) -> list[Entry]:
        """Return every readable run, newest first in order of creation, regardless of the clock."""
        found: list[Entry] = []
        for row in self.rows(f"SELECT {FIELDS} FROM runs ORDER BY rowid DESC"):
            try:
                found.append(entry_of(row))
            except RunDamaged as error:
                self.note_damage(row[0], str(error))
        return [entry for entry in found if entry.id not in self._damage]

    def columns(self, run: str) -> tuple[Column, ...]:
        """Return the columns of the run's records; an empty tuple if there is no such run.

        Raises RunDamaged.
        """
        row = self.row("SELECT columns FROM runs WHERE id = ?", (run,))
        return columns_of_text(run, row[0]) if row else ()

    def apply(self, writes: Sequence[Write]) -> list[Result]:
        """Carry out all writes in order, in one transaction; return the result of each."""
        with self.transaction() as db:
            return apply(db, writes)

    def probe(self) -> None:
        """Check whether the log can be written, by a write that changes nothing.

        Raises LogError.
        """
        with self.transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            db.execute(f"PRAGMA user_version = {version}")

    # -- reading

    def frames(self, run: str, first: int, last: int) -> Iterator[Frame]:
        """Yield the kept records of steps `first` to `last`, both included, in order.

        Raises RunDamaged.
        """
        length = self._record_bytes(run)
        while first <= last:
            rows = self.rows(
                f"SELECT {FRAME_FIELDS} FROM chunks WHERE run = ?1 AND first <= ?3 "
                "AND first >= coalesce((SELECT max(first) FROM chunks WHERE run = ?1 "
                "AND first <= ?2), 0) ORDER BY first LIMIT ?4",
                (run, first, last, FRAMES_AT_ONCE),
            )
            for row in rows:
                if row[0] + row[1] > first:
                    yield frame_of(row, run, length).since(first).until(last)
            if len(rows) < FRAMES_AT_ONCE:
                return
            first = rows[-1][0] + rows[-1][1]

    def _record_bytes(self, run: str) -> int:
        # 0 until the columns are known; they never change after that.
        if (length := self._lengths.get(run, 0)) == 0 and (
            length := record_bytes(self.columns(run))
        ):
            self._lengths[run] = length
        return length

    def frame(self, run: str, step: int) -> Frame | None:
        """Return the record of `step` as a frame, or None if there is none."""
        return next(self.frames(run, step, step), None)

    def history(self, run: str) -> "History":
        """Return a reader of the run's records and summaries. Raises UnknownThing."""
        row = self.row("SELECT parent_step, compacted FROM runs WHERE id = ?", (run,))
        if row is None:
            raise UnknownThing(f"there is no run {run!r}")
        return History(self, run, row[0] or 0, row[1])

    def kept(self, run: str) -> list[tuple[int, int]]:
        """Return the ranges of steps whose records are kept, as (first, last), in order."""
        found: list[tuple[int, int]] = []
        for first, count in self.rows(
            "SELECT first, count FROM chunks WHERE run = ? ORDER BY first", (run,)
        ):
            begun = found.pop()[0] if found and found[-1][1] == first - 1 else first
            found.append((begun, first + count - 1))
        return found

    def nearest(self, run: str, step: int) -> list[int]:
        """Return the nearest kept steps: the last one before `step` and the first one after it."""
        before = self.row(
            "SELECT first + count - 1 FROM chunks WHERE run = ? AND first < ? ORDER BY first DESC",
            (run, step),
        )
        after = self.row(
            "SELECT first FROM chunks WHERE run = ? AND first > ? ORDER BY first", (run, step)
        )
        return [row[0] for row in (before, after) if row is not None]

    def tuning(self, run: str, step: int) -> tuple[float, float | None]:
        """Return the learning rate and the pace in force after `step`. Raises UnknownThing."""
        row = self.row(
            "SELECT detail FROM events WHERE run = ? AND kind = 'tune' AND step <= ? "
            "ORDER BY rowid DESC LIMIT 1",
            (run, step),
        )
        if row is not None:
            tuned = object_of(run, "an event", row[0])
            return float(tuned["lr"]), tuned["pace"]
        row = self.row("SELECT config FROM runs WHERE id = ?", (run,))
        if row is None:
            raise UnknownThing(f"there is no run {run!r}")
        config = object_of(run, "its configuration", row[0])
        return float(config["optimizer"]["lr"]), config["pace"]

    def events(self, run: str) -> list[dict[str, Any]]:
        """Return the run's events in order."""
        rows = self.rows(
            "SELECT step, time, kind, detail FROM events WHERE run = ? ORDER BY rowid", (run,)
        )
        return [
            {"step": s, "time": t, "kind": k, **object_of(run, "an event", d)}
            for s, t, k, d in rows
        ]


@dataclass(frozen=True, slots=True)
class History:
    """Reads one run's records and summaries. Summaries cover the steps before `compacted`."""

    log: RunLog
    run: str
    first_step: int
    compacted: int

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        """Yield the kept records of steps `first` to `last`, both included, in order."""
        return self.log.frames(self.run, first, last)

    def summaries(self, size: int, first: int, last: int) -> list[bytes]:
        """Return the summaries, in order, of all blocks of `size` steps with any of the steps."""
        rows = self.log.rows(
            "SELECT payload FROM summaries WHERE run = ? AND size = ? AND first > ? "
            "AND first <= ? ORDER BY first",
            (self.run, size, first - size, last),
        )
        return [payload for (payload,) in rows]

    def element_summaries(self, size: int, first: int, last: int) -> list[tuple[int, bytes]]:
        """Return the element summaries of such blocks, each with its block's first step.

        Some blocks may have none.
        """
        return self.log.rows(
            "SELECT first, payload FROM element_summaries WHERE run = ? AND size = ? "
            "AND first > ? AND first <= ? ORDER BY first",
            (self.run, size, first - size, last),
        )
