"""Converts frames of records to and from rows of the table chunks. Knows nothing of runs."""

import sqlite3
from typing import Any

from livegrad.errors import RunDamaged
from livegrad.protocol import RECORDS, Frame
from livegrad.store.blocks import BLOCK
from livegrad.store.compression import unpack
from livegrad.store.damage import damaged_run

FRAME_FIELDS = "first, count, epoch, time, is_packed, payload"


def frame_of(row: Any, run: str, length: int) -> Frame:
    """Return the frame in a row of chunks, selected as FRAME_FIELDS.

    `length` is the length of one record in bytes, 0 if unknown. Raises RunDamaged.
    """
    first, count, epoch, finished_at, is_packed, payload = row
    try:
        whole = unpack(payload, count) if is_packed else payload
    except RunDamaged as error:
        raise damaged_run(run, f"the records of step {first} on: {error}") from error
    if count < 1 or len(whole) % (4 * count) or (length and len(whole) != count * length):
        raise damaged_run(
            run, f"the {count} records of step {first} on are {len(whole)} bytes long"
        )
    return Frame(RECORDS, count, first, epoch, 0, finished_at, whole)


def insert(db: sqlite3.Connection, run: str, frame: Frame, is_packed: bool = False) -> None:
    """Store a frame.

    Its payload is packed if `is_packed`; otherwise it is split at block boundaries.
    """
    end = frame.first // BLOCK * BLOCK + BLOCK - 1
    rest = frame
    while not is_packed and rest.last > end:
        insert(db, run, rest.until(end))
        rest, end = rest.since(end + 1), end + BLOCK
    db.execute(
        "INSERT INTO chunks (run, first, count, epoch, time, is_packed, payload) "
        "VALUES (?,?,?,?,?,?,?)",
        (run, rest.first, rest.count, rest.epoch, rest.time, is_packed, rest.payload),
    )
