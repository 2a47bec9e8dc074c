"""The run log's file in its surroundings.

Moved, taken over, read by others, by many, and closed meanwhile.

Covers store/checkpoints.py.
"""

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from livegrad.errors import LogError, LogMoved, LogTaken
from livegrad.store.checkpoints import INLINE_BYTES
from livegrad.store.database import MAX_JOURNAL_BYTES, READERS, Database, in_words
from livegrad.store.retention import Retention
from tests.backend.recorded import begin, bytes_by_step, opened, records, write


def handles(path: Path) -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith(str(path))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
def test_nothing_is_written_while_a_file_is_away_and_what_was_read_still_is(
    tmp_path: Path, ending: str
) -> None:
    rows = records(20)
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", rows[:10])
        file = Path(f"{log.path}{ending}")
        file.rename(tmp_path / "away")
        with pytest.raises(LogMoved, match="is missing"):
            write(log, "a", rows[10:], first=10)
        file.touch()
        with pytest.raises(LogMoved, match="was replaced"):
            write(log, "a", rows[10:], first=10)
        assert len(bytes_by_step(log, "a", 0, 20)) == 10
        (tmp_path / "away").replace(file)
        write(log, "a", rows[10:], first=10)
    with opened(tmp_path) as log:
        assert len(bytes_by_step(log, "a", 0, 20)) == 20


def test_who_opened_the_log_last_writes_it(tmp_path: Path) -> None:
    with opened(tmp_path) as first:
        begin(first, "a")
        with opened(tmp_path) as second:
            with pytest.raises(LogTaken, match="another livegrad has taken over"):
                begin(first, "b")
            begin(second, "c")
        with pytest.raises(LogTaken):
            begin(first, "b")
        assert {entry.id for entry in first.runs()} == {"a", "c"}


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="counts the open files of a Linux process"
)
def test_threads_that_end_and_readers_that_give_up_leave_few_files_open(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", records(2000))

        def read(gives_up: bool) -> None:
            for _ in log.frames("a", 0, 2000):
                if gives_up:
                    return

        for _ in range(6):
            threads = [threading.Thread(target=read, args=(place % 2 == 0,)) for place in range(25)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (
                handles(log.path) <= 2 * (READERS + 1) + 1
            )  # each the file and the write-ahead log; once its index
    assert handles(log.path) == 0


def test_a_log_is_closed_in_good_order_while_it_is_read(tmp_path: Path) -> None:
    log = Database(tmp_path / "log")
    ended: list[BaseException] = []

    def read() -> None:
        try:
            while True:
                log.rows("SELECT count(*) FROM runs")
        except BaseException as error:
            ended.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    log.close()
    for thread in threads:
        thread.join(20)
    assert [str(error) for error in ended] == ["the run log is closed: livegrad is stopping"] * 8
    assert all(isinstance(error, LogError) for error in ended)
    assert not Path(f"{log.path}-wal").exists()  # the last one moved it into the file
    with pytest.raises(LogError, match="is closed"), log.transaction():
        pass


def eventually(check: Callable[[], bool]) -> None:
    """Wait for what a checkpoint in its own thread leads to."""
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_no_commit_waits_while_what_another_program_held_back_is_moved(tmp_path: Path) -> None:
    moving = threading.Event()
    with opened(tmp_path) as log:
        begin(log, "a")
        with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM runs").fetchone()
            wal, first = Path(f"{log.path}-wal"), 0
            rows = records(20_000)
            while wal.stat().st_size < 3 * INLINE_BYTES:
                write(log, "a", rows, first=first, at_once=500)
                first += len(rows)
        by_thread: list[str] = []
        original = log._checkpoints._move

        def slow(db: sqlite3.Connection) -> None:
            by_thread.append(threading.current_thread().name)
            if len(by_thread) == 1:
                assert moving.wait(20)  # as long as a slow disk takes
            original(db)

        log._checkpoints._move = slow  # type: ignore[method-assign]  # a disk that takes its time
        try:
            eventually(lambda: not log._checkpoints.is_under_way)
            while not by_thread:
                write(log, "a", records(1), first=first)
                first += 1
            for _ in range(20):
                write(log, "a", records(1), first=first)
                first += 1
            assert log._checkpoints.is_under_way
            assert by_thread == ["livegrad checkpoint_0"]
        finally:
            moving.set()
        eventually(lambda: not log._checkpoints.is_under_way)
        eventually(log.truncate)
        assert log.held_back_bytes == 0


def test_another_programs_reading_is_said_once_it_costs_room_and_costs_no_time(
    tmp_path: Path,
) -> None:
    rows = records(4000)
    with opened(tmp_path) as log:
        begin(log, "a")
        retention = Retention(log, 10**9)
        with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM runs").fetchone()
            wal, slowest, first = Path(f"{log.path}-wal"), 0.0, 0
            while wal.stat().st_size < MAX_JOURNAL_BYTES + 8e6:
                begun = time.monotonic()
                write(log, "a", rows, first=first, at_once=500)
                slowest = max(slowest, time.monotonic() - begun)
                first += len(rows)
            eventually(lambda: bool(retention.tidy() or retention.shortage))
            assert retention.shortage is not None
            assert "another program" in retention.shortage
            assert (
                slowest < 4
            )  # of eight appends and what follows them, on a busy machine; one wait alone was 5 s
            assert not log.truncate()
        eventually(log.truncate)
        assert retention.shortage is None
        assert wal.stat().st_size == 0


def test_a_program_that_writes_holds_one_up_for_less_than_a_second(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        begin(log, "a")
        with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            with pytest.raises(LogError, match="another program holds"):
                write(log, "a", records(10))
            assert time.monotonic() - begun < 4
            assert [entry.id for entry in log.runs()] == ["a"]
        write(log, "a", records(10))


@pytest.mark.skipif(os.name == "nt", reason="rights are the folder's there")
def test_files_are_their_owners_alone_and_older_ones_become_so(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        for _ in range(2):
            with opened(tmp_path) as log:
                begin(log, os.urandom(4).hex())
                for ending in ("", "-wal", "-shm"):
                    assert stat.S_IMODE(os.stat(f"{log.path}{ending}").st_mode) == 0o600
            log.path.chmod(0o644)
    finally:
        os.umask(before)


def test_a_transaction_sees_what_it_has_done(tmp_path: Path) -> None:
    log = Database(tmp_path / "log")
    with log.transaction() as db:
        db.execute("UPDATE owner SET token = token || 'x'")
        [(inside,)] = log.rows("SELECT token FROM owner")
        assert inside.endswith("x")
        db.execute("UPDATE owner SET token = substr(token, 1, length(token) - 1)")
    log.close()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_FULL, "is full: free some space"),
        (sqlite3.SQLITE_IOERR, "check that it has space and is still mounted"),
        (sqlite3.SQLITE_READONLY, "check its permissions"),
        (sqlite3.SQLITE_CANTOPEN, "check its permissions"),
        (sqlite3.SQLITE_CORRUPT, "is damaged"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "another program holds"),
        (sqlite3.SQLITE_MISUSE, "cannot be used: made up"),
    ],
)
def test_what_sqlite_says_comes_with_what_to_do_about_it(
    tmp_path: Path, code: int, words: str
) -> None:
    error = sqlite3.OperationalError("made up")
    error.sqlite_errorcode = code
    said = in_words(tmp_path / "log", error)
    assert words in said
    assert str(tmp_path) in said


def test_what_is_no_file_is_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(LogError, match="cannot be read: Is a directory; choose another folder"):
        Database(tmp_path / "log")


def test_a_file_that_breaks_off_is_refused_with_a_reason(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", records(3000))
    data = log.path.read_bytes()
    log.path.write_bytes(data[: len(data) // 2])
    with pytest.raises(LogError, match="damaged"):
        Database(log.path)
    assert log.path.read_bytes() == data[: len(data) // 2]
