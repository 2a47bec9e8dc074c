"""Frames as rows of the table chunks.

Parted at the ends of blocks, read back bit for bit, or said to be damaged.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegrad.errors import RunDamaged
from livegrad.store.blocks import BLOCK
from livegrad.store.compression import pack
from livegrad.store.frames import FRAME_FIELDS, frame_of, insert
from tests.backend.recorded import FLOATS, frame, records

LENGTH = 4 * FLOATS
TABLE = "CREATE TABLE chunks (run, first, count, epoch, time, is_packed, payload)"


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.execute(TABLE)
        yield opened


def rows(db: sqlite3.Connection) -> list[Any]:
    return db.execute(f"SELECT {FRAME_FIELDS} FROM chunks ORDER BY first").fetchall()


@given(first=st.integers(0, 3 * BLOCK), count=st.integers(1, 3 * BLOCK))
def test_a_frame_is_parted_at_the_ends_of_blocks_and_read_back_whole(
    first: int, count: int
) -> None:
    payload = records(count)
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(TABLE)
        insert(db, "a", frame(payload, first, epoch=3, time=7.5))
        found = [frame_of(row, "a", LENGTH) for row in rows(db)]
    assert b"".join(part.payload for part in found) == payload.tobytes()
    assert (found[0].first, found[-1].last) == (first, first + count - 1)
    assert all(
        one.last + 1 == other.first == other.first // BLOCK * BLOCK
        for one, other in pairwise(found)
    )
    assert {(part.epoch, part.time) for part in found} == {(3, 7.5)}


def test_a_packed_frame_is_one_row_and_comes_back_unpacked(db: sqlite3.Connection) -> None:
    payload = records(BLOCK).tobytes()
    packed = frame(records(BLOCK), 0)
    insert(db, "a", type(packed)(packed.kind, BLOCK, 0, 1, 0, 1.0, pack(payload, BLOCK)), True)
    [row] = rows(db)
    assert frame_of(row, "a", LENGTH).payload == payload


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((4, 2, 1, 1.0, 0, bytes(LENGTH)), f"the 2 records of step 4 on are {LENGTH} bytes"),
        ((4, 0, 1, 1.0, 0, b""), "the 0 records of step 4 on are 0 bytes"),
        ((4, 2, 1, 1.0, 1, b"no frame of zstd"), "the records of step 4 on: "),
        ((4, 2, 1, 1.0, 1, pack(bytes(3 * LENGTH), 3)), "of step 4 on"),
    ],
)  # fmt: skip
def test_a_row_that_is_not_as_it_was_written_is_said_to_be_damaged(row: Any, said: str) -> None:
    with pytest.raises(RunDamaged, match="run a is damaged") as raised:
        frame_of(row, "a", LENGTH)
    assert said in str(raised.value)
