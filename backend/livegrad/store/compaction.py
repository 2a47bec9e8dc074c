"""Compacts complete blocks of steps: writes their summaries and packs their records.

Compaction runs after the append, in a transaction of its own, so that committed records are
published first. `compacted` in the run's row says how far it has come, so it may be interrupted at
any point. This module does not know who wrote the records.
"""

import sqlite3
from itertools import groupby, pairwise

import numpy as np

from livegrad.errors import RunDamaged
from livegrad.protocol import Column, Frame, join
from livegrad.store import element_summary
from livegrad.store.blocks import BLOCK, FOLD, SIZES
from livegrad.store.compression import pack
from livegrad.store.damage import damaged_run
from livegrad.store.frames import insert
from livegrad.store.log import RunLog
from livegrad.store.summary import fold, summarize

BLOCKS_AT_ONCE = 16  # in one transaction, for which an append has to wait
Columns = tuple[Column, ...]


def compact(log: RunLog) -> bool:
    """Compact some blocks of one run that has complete ones.

    Returns whether there may be more. A run whose blocks cannot be read is noted as damaged and
    skipped from then on. Raises LogError.
    """
    due = log.rows(
        "SELECT id, compacted, last_step, coalesce(parent_step, 0) FROM runs "
        "WHERE last_step + 1 >= compacted + ?",
        (BLOCK,),
    )
    damaged = log.damaged_runs()
    found = next((row for row in due if row[0] not in damaged), None)
    if found is None:
        return False
    try:
        _compact_run(log, *found)
    except RunDamaged as error:
        log.note_damage(found[0], str(error))
    return True


def _compact_run(log: RunLog, run: str, compacted: int, last_step: int, started: int) -> None:
    columns = log.columns(run)
    complete = range(compacted, last_step + 2 - BLOCK, BLOCK)[:BLOCKS_AT_ONCE]
    with log.transaction() as db:
        for block in complete:
            try:
                _compact(log, db, run, columns, block, started)
            except (ValueError, IndexError, sqlite3.IntegrityError) as error:
                raise damaged_run(run, f"steps {block} to {block + BLOCK - 1}: {error}") from error
        db.execute("UPDATE runs SET compacted = ? WHERE id = ?", (complete[-1] + BLOCK, run))


def _compact(
    log: RunLog, db: sqlite3.Connection, run: str, columns: Columns, block: int, started: int
) -> None:
    frames = list(log.frames(run, block, block + BLOCK - 1))
    _check_whole(frames, max(block, started), block + BLOCK)
    floats = sum(column.size for column in columns)
    rows = np.frombuffer(b"".join(frame.payload for frame in frames), np.float32).reshape(
        -1, floats
    )
    _insert_summary(db, run, BLOCK, block, summarize(rows, columns, frames[0].first))
    told = element_summary.summarize(rows, columns, frames[0].first, block)
    _insert_summary(db, run, BLOCK, block, told, "element_summaries")
    for smaller, size in pairwise(SIZES):
        if (block + BLOCK) % size == 0:
            _fold(db, run, columns, smaller, size, block + BLOCK - size)
            _fold_elements(db, run, smaller, size, block + BLOCK - size)
    _pack(db, run, block, frames)


def _check_whole(frames: list[Frame], first: int, end: int) -> None:
    for frame in frames:
        if frame.first != first:
            break
        first += frame.count
    if first != end:
        raise ValueError(f"the record of step {first} is missing")


def _fold(
    db: sqlite3.Connection, run: str, columns: Columns, smaller: int, size: int, first: int
) -> None:
    payloads = db.execute(
        "SELECT payload FROM summaries WHERE run = ? AND size = ? AND first >= ? "
        "ORDER BY first LIMIT ?",
        (run, smaller, first, FOLD),
    )
    _insert_summary(db, run, size, first, fold([payload for (payload,) in payloads], columns))


def _fold_elements(db: sqlite3.Connection, run: str, smaller: int, size: int, first: int) -> None:
    found = db.execute(
        "SELECT first, payload FROM element_summaries WHERE run = ? AND size = ? "
        "AND first >= ? AND first < ? ORDER BY first",
        (run, smaller, first, first + size),
    ).fetchall()
    (started,) = db.execute(
        "SELECT coalesce(parent_step, 0) FROM runs WHERE id = ?", (run,)
    ).fetchone()
    begun = max(first, started // smaller * smaller)
    # otherwise some blocks were compacted before element summaries existed
    if len(found) == (first + size - begun) // smaller:
        _insert_summary(
            db, run, size, first, element_summary.fold(found, smaller, first), "element_summaries"
        )


def _insert_summary(
    db: sqlite3.Connection,
    run: str,
    size: int,
    first: int,
    payload: bytes,
    table: str = "summaries",
) -> None:
    db.execute(
        f"INSERT INTO {table} (run, size, first, payload) VALUES (?,?,?,?)",
        (run, size, first, payload),
    )


def _pack(db: sqlite3.Connection, run: str, block: int, frames: list[Frame]) -> None:
    db.execute(
        "DELETE FROM chunks WHERE run = ? AND first >= ? AND first < ?", (run, block, block + BLOCK)
    )
    for _, of_one_epoch in groupby(frames, lambda frame: frame.epoch):
        frame = join(list(of_one_epoch))
        packed = pack(frame.payload, frame.count)
        insert(
            db,
            run,
            Frame(frame.kind, frame.count, frame.first, frame.epoch, 0, frame.time, packed),
            is_packed=True,
        )
