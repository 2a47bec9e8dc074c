"""Keeps the run log within its budget by thinning the oldest blocks and shrinking the file.

A thinned block keeps its summary and single records: every BLOCK-th step, the run's first and best
step (lowest training loss), and the steps from which other runs continue. The newest EXACT_STEPS of
each run are never thinned.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from livegrad.errors import RunDamaged
from livegrad.store.blocks import BLOCK, SIZES
from livegrad.store.damage import damaged_run
from livegrad.store.database import MAX_JOURNAL_BYTES
from livegrad.store.frames import FRAME_FIELDS, frame_of, insert
from livegrad.store.log import RunLog
from livegrad.store.summary import LOW, LOW_STEP, names, read, spans

EXACT_STEPS = 1024
LOW_WATER = 0.95  # thinning goes on down to this share of the budget
CHUNKS_AT_ONCE = 32  # in one transaction, for which an append has to wait
PAGES_AT_ONCE = 1024


class Retention:
    """Keeps `log` within `keep` bytes.

    Only the writing thread may call its methods. Raises LogError.
    """

    def __init__(self, log: RunLog, keep: int) -> None:
        self._log, self._keep = log, keep
        self._is_thinning = False
        self._returns_all = False  # set when a run was deleted, until its space is returned
        # why the budget is exceeded although everything was thinned
        self._shortage: str | None = None
        self._wants_to_shrink = False  # whether the file shrinks as soon as no reader prevents it

    @property
    def shortage(self) -> str | None:
        """Return why the budget cannot be kept at the moment, or None if it can."""
        waiting = self._log.held_back_bytes
        if waiting <= MAX_JOURNAL_BYTES:
            return self._shortage
        return (
            f"more than {_halved_until(waiting, MAX_JOURNAL_BYTES) / 1e6:,.0f} MB wait beside "
            f"the run log, in {self._log.path.name}-wal, and the size grows: another program "
            "has kept one transaction open for a long time (a database browser, a sqlite3 "
            "shell, a backup): close it"
        )

    def give_back(self) -> None:
        """Let `tidy` return all free space to the file system, a piece at a time."""
        self._returns_all = True

    def tidy(self) -> bool:
        """Do one small piece of the pending work; return whether there is more."""
        used, held = self._bytes()
        if used > self._keep or (self._is_thinning and used > LOW_WATER * self._keep):
            self._is_thinning = self._thin()
            self._note(used)
            if self._is_thinning:
                return True
        self._is_thinning = False
        if used <= self._keep:
            self._shortage = None
        return self._shrink(used, held)

    def _bytes(self) -> tuple[int, int]:
        # `used` is the size of the contents, `held` the size of the file.
        (pages,), (free,), (size,) = (
            self._log.row(f"PRAGMA {name}")
            for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size, pages * size

    def _note(self, used: int) -> None:
        if self._is_thinning or used <= self._keep:
            self._shortage = None
        else:
            self._shortage = (
                f"the run log takes {used / 1e6:,.0f} MB with all its older steps thinned out, "
                f"more than --keep allows ({self._keep / 1e6:,.0f} MB): delete runs, or start "
                "with a larger --keep"
            )

    def _shrink(self, used: int, held: int) -> bool:
        # Free pages are reused for new records, unless the file is too large or a run was deleted.
        if held > used and (self._returns_all or held > self._keep):
            self._log.run(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})")
            left = self._bytes()[1]
            self._wants_to_shrink |= left < held
            if left < held and left > max(used, self._keep if not self._returns_all else 0):
                return True
        self._returns_all = False
        if self._wants_to_shrink:  # only now can the file get shorter
            self._wants_to_shrink = not self._log.truncate()
        return False

    # -- thinning

    def _thin(self) -> bool:
        damaged = self._log.damaged_runs()
        oldest = self._log.rows(
            "SELECT run, first FROM chunks JOIN runs ON id = run WHERE is_packed = 1 "
            "AND first + count + ? <= last_step + 1 "
            f"AND run NOT IN ({', '.join('?' * len(damaged))}) ORDER BY chunks.rowid LIMIT ?",
            (EXACT_STEPS, *damaged, CHUNKS_AT_ONCE),
        )
        try:
            kept = {run: self._kept(run) for run in {run for run, _ in oldest}}
            with self._log.transaction() as db:
                for run, first in oldest:
                    self._thin_chunk(db, run, first, kept[run])
        except _Unreadable as error:
            self._log.note_damage(error.run, str(error.__cause__))
        return bool(oldest)

    def _kept(self, run: str) -> set[int]:
        history = self._log.history(run)
        branches = self._log.rows("SELECT parent_step FROM runs WHERE parent = ?", (run,))
        with _reading_run(run):
            best = self._best(run)
        return {history.first_step, *best, *(step for (step,) in branches)}

    def _best(self, run: str) -> Iterable[int]:
        # The compacted step with the lowest training loss; None if there is no loss.
        history, columns = self._log.history(run), self._log.columns(run)
        place, found = names(columns).index("loss"), list[tuple[float, int]]()
        for first, last, size in spans(
            history.first_step, history.compacted - 1, SIZES, history.first_step, history.compacted
        ):
            cells = read(history.summaries(size, first, last), columns)[:, place]
            cells = cells[cells[:, LOW_STEP] >= 0]
            if len(cells):
                lowest = cells[np.argmin(cells[:, LOW])]
                found.append((float(lowest[LOW]), int(lowest[LOW_STEP])))
        return [min(found)[1]] if found else []

    def _thin_chunk(self, db: sqlite3.Connection, run: str, first: int, kept: set[int]) -> None:
        row = db.execute(
            f"SELECT {FRAME_FIELDS} FROM chunks WHERE run = ? AND first = ?", (run, first)
        ).fetchone()
        with _reading_run(run):
            frame = frame_of(row, run, 0)
        db.execute("DELETE FROM chunks WHERE run = ? AND first = ?", (run, first))
        for step in range(frame.first, frame.last + 1):
            if step % BLOCK == 0 or step in kept:
                insert(db, run, frame.since(step).until(step))


class _Unreadable(Exception):
    """The run `run` cannot be read; the exception's cause says why."""

    def __init__(self, run: str) -> None:
        self.run = run


@contextmanager
def _reading_run(run: str) -> Iterator[None]:
    try:
        yield
    except RunDamaged as error:
        raise _Unreadable(run) from error
    except (ValueError, IndexError) as error:
        raise _Unreadable(run) from damaged_run(run, str(error))


def _halved_until(size: int, least: int) -> int:
    # `least` times the largest power of two that is at most `size`: a message about a growing size
    # changes only when the size has doubled.
    return int(least * 2 ** ((size // least).bit_length() - 1))
