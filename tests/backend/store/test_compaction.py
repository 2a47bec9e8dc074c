"""A complete block is packed and summarized, and nothing that was stored changes."""

import random
from pathlib import Path

import numpy as np
import pytest

from livegrad.store.blocks import SIZES
from livegrad.store.compaction import compact
from livegrad.store.log import RunLog
from livegrad.store.summary import summarize
from livegrad.store.writes import Append, Begin
from tests.backend.recorded import COLUMNS, begin, bytes_by_step, frame, opened, records, write


def chunks(log: RunLog) -> list[tuple[int, int, int]]:
    return log.rows("SELECT first, count, is_packed FROM chunks ORDER BY first")


def as_bytes(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]], first: int = 0
) -> dict[int, bytes]:
    return {first + place: row.tobytes() for place, row in enumerate(rows)}


@pytest.mark.parametrize("at_once", [1, 80, 256, 1000])
def test_every_record_stays_bit_for_bit(tmp_path: Path, at_once: int) -> None:
    rows = records(1000)
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", rows, at_once=at_once)
        assert chunks(log)[:3] == [(0, 256, 1), (256, 256, 1), (512, 256, 1)]
        assert all(first >= 768 and not packed for first, _, packed in chunks(log)[3:])
        assert bytes_by_step(log, "a", 0, 999) == as_bytes(rows)
        for first, last in ((0, 0), (255, 256), (300, 900), (999, 999)):
            assert bytes_by_step(log, "a", first, last) == as_bytes(rows[first : last + 1], first)


def test_what_was_appended_before_it_was_settled_is_settled_after_a_restart(tmp_path: Path) -> None:
    rows = records(600)
    with opened(tmp_path) as log:
        begin(log, "a")
        log.apply([Append.frames("a", 1, frame(rows, 0))])
    with opened(tmp_path) as log:
        assert compact(log)
        assert not compact(log)
        assert [packed for _, _, packed in chunks(log)] == [1, 1, 0]
        assert bytes_by_step(log, "a", 0, 599) == as_bytes(rows)


def test_trainers_of_one_block_stay_apart(tmp_path: Path) -> None:
    rows = records(256)
    with opened(tmp_path) as log:
        begin(log, "a")
        log.apply([Append.frames("a", 1, frame(rows[:100], 0))])
        log.apply([Begin("a", "")])
        log.apply([Append.frames("a", 2, frame(rows[100:], 100, epoch=2))])
        assert compact(log)
        assert [(f.first, f.count, f.epoch) for f in log.frames("a", 0, 255)] == [
            (0, 100, 1),
            (100, 156, 2),
        ]
        assert bytes_by_step(log, "a", 0, 255) == as_bytes(rows)


def test_a_run_that_continues_another_begins_within_a_block(tmp_path: Path) -> None:
    rows = records(500)
    with opened(tmp_path) as log:
        begin(log, "a")
        begin(log, "b", "a", 300)
        write(log, "b", rows, first=300)
        assert chunks(log)[0] == (300, 212, 1)
        assert log.history("b").summaries(256, 300, 500) == [summarize(rows[:212], COLUMNS, 300)]
        assert bytes_by_step(log, "b", 300, 799) == as_bytes(rows, 300)


def test_larger_blocks_are_folded_as_they_are_complete(tmp_path: Path) -> None:
    rows = records(SIZES[1] + 300)
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", rows)
        assert log.history("a").summaries(SIZES[1], 0, len(rows)) == [
            summarize(rows[: SIZES[1]], COLUMNS, 0)
        ]


def test_reading_while_blocks_are_settled_misses_nothing(tmp_path: Path) -> None:
    rows, chosen = records(6000), random.Random(0)
    with opened(tmp_path) as log:
        begin(log, "a")
        for low in range(0, len(rows), 10):
            log.apply([Append.frames("a", 1, frame(rows[low : low + 10], low))])
        found = b""
        for part in log.frames("a", 0, 5999):
            found += part.payload
            if chosen.random() < 0.1:
                compact(log)
        assert found == rows.tobytes()
