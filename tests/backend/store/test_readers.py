"""Connections that read: few for many threads, lent one at a time, and all closed in the end."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from livegrad.errors import LogError
from livegrad.store.database import Database
from livegrad.store.readers import Readers


class Connections:
    """Makes connections, and keeps them."""

    def __init__(self) -> None:
        self.made: list[sqlite3.Connection] = []

    def __call__(self) -> sqlite3.Connection:
        self.made.append(sqlite3.connect(":memory:", check_same_thread=False))
        return self.made[-1]


@pytest.fixture
def connections() -> Iterator[Connections]:
    made = Connections()
    yield made
    for each in made.made:
        each.close()


def test_a_connection_that_was_given_back_is_lent_again(connections: Connections) -> None:
    readers = Readers(connections, 3)
    for _ in range(5):
        with readers.lent() as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
    assert len(connections.made) == 1
    readers.close()


def test_there_are_never_more_than_so_many_and_the_others_wait(connections: Connections) -> None:
    readers, at_once, most = Readers(connections, 2), 0, 0
    lock = threading.Lock()

    def read() -> None:
        nonlocal at_once, most
        with readers.lent():
            with lock:
                at_once += 1
                most = max(most, at_once)
            time.sleep(0.01)
            with lock:
                at_once -= 1

    threads = [threading.Thread(target=read) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most <= 2
    assert len(connections.made) <= 2
    readers.close()


def test_who_waits_too_long_is_told_that_too_many_read(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livegrad.store.readers.WAIT_SECS", 0.05)
    readers = Readers(connections, 1)
    with (
        readers.lent(),
        pytest.raises(LogError, match="too many readers use the run log at once"),
        readers.lent(),
    ):
        pass
    readers.close()


def test_after_the_end_nothing_is_lent_and_what_comes_back_is_closed(
    connections: Connections,
) -> None:
    readers = Readers(connections, 2)
    taken, may_go_on = threading.Event(), threading.Event()

    def read() -> None:
        with readers.lent():
            taken.set()
            may_go_on.wait(20)

    reading = threading.Thread(target=read)
    reading.start()
    taken.wait(20)
    closing = threading.Thread(target=readers.close)
    closing.start()
    may_go_on.set()
    for thread in (reading, closing):
        thread.join(20)
    with pytest.raises(LogError, match="is closed"), readers.lent():
        pass
    for each in connections.made:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            each.execute("SELECT 1")


def test_a_connection_that_cannot_be_made_takes_no_place(connections: Connections) -> None:
    fails = True

    def connect() -> sqlite3.Connection:
        if fails:
            raise LogError("no more files")
        return connections()

    readers = Readers(connect, 1)
    for _ in range(2):
        with pytest.raises(LogError, match="no more files"), readers.lent():
            pass
    fails = False
    with readers.lent() as db:
        assert db.execute("SELECT 1").fetchone() == (1,)
    readers.close()


def test_a_query_that_does_not_end_is_broken_off_at_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livegrad.store.readers.CLOSE_SECS", 0.2)
    log = Database(tmp_path / "log")
    endless = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )
    raised: list[LogError] = []

    def read() -> None:
        try:
            log.rows(endless)
        except LogError as error:
            raised.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.3)
    log.close()
    thread.join(20)
    assert len(raised) == 1
