"""A budget in bytes: the oldest detail goes first, what must stay stays, and the file gets
smaller.
"""

from pathlib import Path

import numpy as np
import pytest

from livegrad.store.blocks import BLOCK
from livegrad.store.log import RunLog
from livegrad.store.retention import EXACT_STEPS, Retention
from livegrad.store.writes import Delete
from tests.backend.recorded import begin, bytes_by_step, opened, records, write

STEPS = 20_000


def size(log: RunLog) -> int:
    return sum(Path(f"{log.path}{ending}").stat().st_size for ending in ("", "-wal"))


def tidy(retention: Retention) -> None:
    while retention.tidy():
        pass


def test_a_log_within_its_budget_is_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", records(STEPS))
        tidy(retention := Retention(log, 10**9))
        assert log.kept("a") == [(0, STEPS - 1)]
        assert retention.shortage is None


def test_the_oldest_detail_goes_first_and_the_file_gets_smaller(tmp_path: Path) -> None:
    rows = records(STEPS)
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", rows)
        keep = Path(log.path).stat().st_size // 2
        tidy(retention := Retention(log, keep))
        assert size(log) <= keep
        assert retention.shortage is None
        *alone, newest = log.kept("a")
        assert newest[1] == STEPS - 1
        assert newest[0] < STEPS - EXACT_STEPS
        assert {first for first, last in alone if first == last} >= set(
            range(0, newest[0] - BLOCK, BLOCK)
        )
        assert all(last < newest[0] for _, last in alone)
        expected = {
            step: rows[step].tobytes()
            for first, last in log.kept("a")
            for step in range(first, last + 1)
        }
        assert bytes_by_step(log, "a", 0, STEPS - 1) == expected


def test_first_best_and_branch_steps_stay_and_so_do_the_newest(tmp_path: Path) -> None:
    rows = records(STEPS)
    rows[7777, 0] = -5
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", rows)
        begin(log, "b", "a", 4321)
        write(log, "b", rows[:2000], first=4321)
        tidy(retention := Retention(log, 1))
        for step in (0, 256, 4321, 7777, *range(STEPS - EXACT_STEPS, STEPS)):
            assert bytes_by_step(log, "a", step, step) == {step: rows[step].tobytes()}
        assert bytes_by_step(log, "b", 4321, 4321) == {4321: rows[0].tobytes()}
        assert log.frame("a", 7776) is None
        assert log.nearest("a", 7776) == [7680, 7777]
        assert retention.shortage is not None
        assert "--keep" in retention.shortage


# a clock that goes on, and one set back
@pytest.mark.parametrize("times", [(1e9, 2e9), (2e9, 1e9)])
def test_the_older_run_is_thinned_before_the_newer(
    tmp_path: Path, times: tuple[float, float]
) -> None:
    with opened(tmp_path) as log:
        for run, time in zip(("old", "new"), times, strict=True):
            begin(log, run)
            write(log, run, records(STEPS), time=time)
        used = log.row(
            "SELECT (page_count - freelist_count) * page_size "
            "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        )[0]
        tidy(Retention(log, used * 3 // 4))
        assert log.kept("new") == [(0, STEPS - 1)]
        assert len(log.kept("old")) > 20


def test_a_deleted_run_gives_its_space_back(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        begin(log, "a")
        empty = size(log)
        begin(log, "b")
        write(log, "b", records(STEPS))
        full = size(log)
        retention = Retention(log, 10**9)
        log.apply([Delete("b")])
        retention.give_back()
        tidy(retention)
        assert size(log) <= empty + 100_000 < full / 4
        assert log.row("PRAGMA freelist_count") == (0,)


def test_what_was_thinned_while_others_append_is_whole(tmp_path: Path) -> None:
    rows = records(STEPS)
    with opened(tmp_path) as log:
        retention = Retention(log, 200_000)
        begin(log, "a")
        for low in range(0, STEPS, 500):
            write(log, "a", rows[low : low + 500], first=low)
            tidy(retention)
        assert log.row("PRAGMA integrity_check") == ("ok",)
        found = bytes_by_step(log, "a", 0, STEPS - 1)
        assert all(data == rows[step].tobytes() for step, data in found.items())
        assert int(np.nanargmin(rows[:, 0])) in found
