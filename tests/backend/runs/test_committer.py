"""The one writer of the log.

In order, together, again and again for trainers, at once or not at all for clients.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from livegrad.config import RunConfig
from livegrad.errors import LogError, UnknownThing
from livegrad.lifecycle.states import State
from livegrad.protocol import RECORDS, Frame
from livegrad.runs import committer as module
from livegrad.runs.committer import Committer
from livegrad.runs.trainer_session import Arrival
from livegrad.store.entry import Entry
from livegrad.store.log import RunLog
from livegrad.store.retention import Retention
from livegrad.store.writes import Appended, Begin, Broken, Create, Delete, Item, Standing


class Log(RunLog):
    """A run log whose disk can fail, and that counts its transactions."""

    fails = False
    transactions = 0

    @contextmanager
    def transaction(self, takes_over: bool = False) -> Iterator[Any]:
        if self.fails:
            raise LogError("the disk is full: free some space")
        self.transactions += 1
        with super().transaction(takes_over) as db:
            yield db


class CommitterUnderTest:
    """A committer at work, and what it has said."""

    def __init__(self, folder: Path) -> None:
        self.log = Log(folder / "log.sqlite3")
        self.troubles: list[str | None] = []
        self.appended: list[tuple[list[Arrival], Appended | Broken]] = []
        self.committer = Committer(
            self.log, Retention(self.log, 10**9), self.troubles.append, lambda why: None
        )

    def append(self, step: int, run: str = "a", epoch: int = 1) -> None:
        frame = Frame(RECORDS, 1, step, epoch, 0, 1.0, b"abcd")
        arrival = Arrival(step + 1, frame, b"encoded")
        self.committer.append(run, epoch, Item(step + 1, frame), arrival, self._note)

    def _note(self, arrivals: list[Arrival], result: Appended | Broken) -> None:
        self.appended.append((arrivals, result))

    async def until(self, count: int) -> None:
        """Wait until so many appends were told of."""
        end = time.monotonic() + 20
        while len(self.appended) < count:
            assert time.monotonic() < end
            await asyncio.sleep(0.005)


def entry(run: str) -> Entry:
    config = RunConfig().model_dump(mode="json")
    return Entry(run, "n", config, time.time(), State.STARTING, None, 0, "", 0.5, 60.0, (), {}, -1)


@asynccontextmanager
async def at_work(folder: Path) -> AsyncIterator[CommitterUnderTest]:
    tested = CommitterUnderTest(folder)
    task = asyncio.create_task(tested.committer.run())
    await tested.committer.attempt("a", Create(entry("a")))
    await tested.committer.attempt("a", Begin("a", "hash"))
    try:
        yield tested
    finally:
        await tested.committer.stop()
        await task
        tested.log.close()


async def test_what_comes_together_is_written_together_and_told_in_order(tmp_path: Path) -> None:
    async with at_work(tmp_path) as tested:
        before = tested.log.transactions
        for step in range(50):
            tested.append(step)
        await tested.until(1)
        [(arrivals, result)] = tested.appended
        assert [arrival.number for arrival in arrivals] == list(range(1, 51))
        assert isinstance(result, Appended)
        assert (result.last_step, result.seq) == (49, 50)
        assert tested.log.transactions == before + 1


async def test_what_stands_between_two_appends_stays_between_them(tmp_path: Path) -> None:
    async with at_work(tmp_path) as tested:
        begun: list[Any] = []
        tested.append(0)
        tested.committer.write("a", Begin("a", "newer"), begun.append)
        tested.append(1)
        await tested.until(2)
        first, late = (result for _, result in tested.appended)
        assert isinstance(first, Appended)
        assert isinstance(late, Appended)
        assert (first.last_step, late.is_stale) == (0, True)
        assert isinstance(begun[0], Standing)
        assert begun[0].last_step == 0


async def test_a_drain_is_told_after_everything_of_its_run(tmp_path: Path) -> None:
    async with at_work(tmp_path) as tested:
        told: list[int] = []
        tested.append(0)
        tested.committer.drain("a", lambda: told.append(len(tested.appended)))
        tested.append(1)
        await tested.until(2)
        assert told == [1]


async def test_while_the_disk_fails_clients_are_refused_and_the_rest_is_written_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECS", 0.05)
    async with at_work(tmp_path) as tested:
        tested.log.fails = True
        tested.append(0)
        with pytest.raises(LogError, match="full"):
            await asyncio.wait_for(tested.committer.attempt("b", Create(entry("b"))), 5)
        begun = time.monotonic()
        with pytest.raises(LogError, match="full"):
            await tested.committer.attempt("a", Delete("a"))
        assert time.monotonic() - begun < 5
        assert tested.troubles == ["the disk is full: free some space"]
        assert tested.committer.trouble is not None
        tested.append(1)
        assert tested.appended == []
        tested.log.fails = False
        await tested.until(2)
        assert [run.id for run in tested.log.runs()] == ["a"]
        assert tested.log.runs()[0].last_step == 1
        assert tested.troubles[1:] == [None]


async def test_trouble_that_is_over_is_noticed_although_nobody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_SECS", 0.05)
    async with at_work(tmp_path) as tested:
        tested.log.fails = True
        with pytest.raises(LogError, match="full"):
            await tested.committer.attempt("a", Delete("a"))
        tested.log.fails = False
        end = time.monotonic() + 20
        while tested.committer.trouble is not None:
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        assert tested.troubles[-1] is None


async def test_a_write_that_breaks_is_told_to_whoever_asked_and_ends_nothing(
    tmp_path: Path,
) -> None:
    async with at_work(tmp_path) as tested:
        with pytest.raises(UnknownThing):
            await tested.committer.attempt("nobody", Begin("nobody", "hash"))
        tested.append(0)
        await tested.until(1)


async def test_a_client_that_goes_away_does_not_stop_its_write(tmp_path: Path) -> None:
    async with at_work(tmp_path) as tested:
        asking = asyncio.create_task(tested.committer.attempt("b", Create(entry("b"))))
        await asyncio.sleep(0)
        asking.cancel()
        tested.append(0)
        await tested.until(1)
        assert {run.id for run in tested.log.runs()} == {"a", "b"}


async def test_at_its_end_it_writes_what_is_there_and_leaves_out_what_it_cannot(
    tmp_path: Path,
) -> None:
    async with at_work(tmp_path) as tested:
        tested.append(0)
    assert len(tested.appended) == 1
    (tmp_path / "other").mkdir()
    async with at_work(tmp_path / "other") as tested:
        tested.log.fails = True
        tested.append(0)
    assert tested.appended == []
