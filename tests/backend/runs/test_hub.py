"""All runs: what is answered is logged, what cannot be logged has no effect, one run's damage is
its own.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from livegrad.config import Command, RunConfig
from livegrad.errors import Forbidden, LogError, RunDamaged, TrainerError, UnknownThing
from livegrad.lifecycle.states import State
from livegrad.runs import hub as module
from livegrad.runs.end import End
from livegrad.runs.hub import Hub
from livegrad.runs.run import LiveRun
from tests.backend.runs.simulated_trainers import SimulatedLauncher, SimulatedTrainer
from tests.backend.runs.test_committer import Log

COMMANDS: TypeAdapter[Command] = TypeAdapter(Command)


class HubUnderTest:
    """A hub whose trainers are simulated. A trainer that `goes_on` works by itself."""

    def __init__(self, folder: Path, max_runs: int = 5) -> None:
        self.log = Log(folder / "livegrad.sqlite3")
        self.crashes: list[BaseException] = []
        self.launcher = SimulatedLauncher({})
        launcher: Any = self.launcher
        self.hub = Hub(self.log, launcher, "ws://x", max_runs, 10**12, self.crashes.append)

    async def command(self, run: LiveRun, kind: str, **arguments: Any) -> dict[str, Any]:
        return await self.hub.command(run.id, COMMANDS.validate_python({"kind": kind, **arguments}))

    async def default(self) -> LiveRun:
        """Return the first run, once its trainer stands at step 0."""
        await self.until(lambda: bool(list(self.hub.runs())))
        [run] = self.hub.runs()
        await self.stands(run, State.PAUSED)
        return run

    async def stands(self, run: LiveRun, state: State) -> None:
        await self.until(lambda: run.life.shown is state)

    async def until(self, met: Any) -> None:
        end = time.monotonic() + 20
        while not met():
            assert time.monotonic() < end
            await asyncio.sleep(0.005)

    async def go_on(self) -> None:
        """Let every trainer that is alive connect, read, send."""
        while True:
            for work in list(self.launcher.works.values()):
                await self._work(work)
            await asyncio.sleep(0.005)

    async def _work(self, work: SimulatedTrainer) -> None:
        work.live = self.hub._runs.get(work.run)
        if work.is_alive and work.live is not None:
            await work.connect(self.hub)
            await work.read()
            if work.plays:
                work.train(1)
            work.send(100)
            work.arrive(self.hub, 100)
        elif work.session is not None:
            work.part(self.hub)
            work.report(End(0))


@asynccontextmanager
async def opened(folder: Path, max_runs: int = 5) -> AsyncIterator[HubUnderTest]:
    tested = HubUnderTest(folder, max_runs)
    await tested.hub.open()
    going = asyncio.create_task(tested.go_on())
    try:
        yield tested
    finally:
        tested.log.fails = False
        await tested.hub.close()
        going.cancel()
        await asyncio.wait({going})
    assert going.cancelled(), going.exception()


async def test_an_empty_log_gets_a_run_that_waits_at_step_0(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        assert (run.step, run.life.epoch) == (0, 1)
        assert [entry.id for entry in tested.log.runs()] == [run.id]


async def test_a_run_that_cannot_be_logged_is_not_there(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        first = await tested.default()
        tested.log.fails = True
        with pytest.raises(LogError, match="full"):
            await tested.hub.create(RunConfig())
        assert list(tested.hub.runs()) == [first]


async def test_a_run_that_cannot_be_deleted_keeps_its_trainer(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        tested.log.fails = True
        with pytest.raises(LogError, match="full"):
            await tested.hub.delete(run.id)
        tested.log.fails = False
        await tested.until(lambda: run.trouble is None)
        assert tested.launcher.works[run.id].is_alive
        assert (await tested.command(run, "step", count=3))["step"] == 3


async def test_deleting_a_run_that_starts_tells_whoever_waits_for_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        await tested.default()
        tested.launcher.refuses = True
        run = await tested.hub.create(RunConfig())
        asking = asyncio.create_task(tested.command(run, "play"))
        await tested.until(lambda: len(run.commands) == 1)
        await tested.hub.delete(run.id)
        with pytest.raises(UnknownThing, match="deleted"):
            await asyncio.wait_for(asking, 5)
        assert run.id not in {entry.id for entry in tested.log.runs()}


async def test_whoever_goes_away_while_a_run_is_made_leaves_a_whole_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        await tested.default()
        asking = asyncio.create_task(tested.hub.create(RunConfig(name="left alone")))
        await asyncio.sleep(0)
        asking.cancel()
        await tested.until(lambda: len(list(tested.hub.runs())) == 2)
        newest = next(iter(tested.hub.runs()))
        await tested.stands(newest, State.PAUSED)


async def test_surroundings_that_keep_a_trainer_from_starting_leave_an_interrupted_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "livegrad.lifecycle.machine.RESTART_DELAYS_SECS", (0.0, 0.01, 0.01, 0.01, 0.01)
    )
    async with opened(tmp_path) as tested:
        await tested.default()
        tested.launcher.refuses = True
        run = await tested.hub.create(RunConfig())
        await tested.stands(run, State.INTERRUPTED)
        assert "no memory for another process" in (run.life.reason or "")
        tested.launcher.refuses = False
        assert (await tested.command(run, "step", count=2))["step"] == 2


async def test_a_trainer_that_never_answers_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_SECS", 0.1)
    monkeypatch.setattr(module, "ANSWER_SECS", 0.2)
    async with opened(tmp_path) as tested:
        run = await tested.default()
        tested.launcher.works[run.id].obeys = False
        with pytest.raises(TrainerError, match="did not answer"):
            await tested.command(run, "play")
        assert len(run.commands) == 0


async def test_beyond_the_limit_no_run_is_made(tmp_path: Path) -> None:
    async with opened(tmp_path, max_runs=2) as tested:
        await tested.default()
        results = await asyncio.gather(
            *(tested.hub.create(RunConfig()) for _ in range(5)), return_exceptions=True
        )
        assert sum(isinstance(result, LiveRun) for result in results) == 1
        assert sum(isinstance(result, Forbidden) for result in results) == 4


async def test_an_error_that_nobody_expected_is_told_to_whoever_ends_the_server(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as tested:
        await tested.default()

        async def breaks() -> None:
            raise ZeroDivisionError("a bug")

        tested.hub._spawn(breaks())
        await tested.until(lambda: bool(tested.crashes))
        [crash] = tested.crashes
        assert isinstance(crash, BaseExceptionGroup)
        assert crash.subgroup(ZeroDivisionError) is not None


async def test_a_run_that_cannot_be_read_is_listed_refused_and_can_be_deleted(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as tested:
        bad = await tested.default()
        await tested.hub.create(RunConfig(name="whole"))
    with closing(sqlite3.connect(tmp_path / "livegrad.sqlite3")) as db:
        db.execute("UPDATE runs SET columns = 'nonsense' WHERE id = ?", (bad.id,))
        db.commit()
    async with opened(tmp_path) as tested:
        listed = {run.id: run.as_json() for run in tested.hub.runs()}
        assert listed[bad.id]["state"] == "failed"
        assert "damaged" in listed[bad.id]["reason"]
        assert listed[bad.id]["config"] is None, "nobody knows it"
        with pytest.raises(RunDamaged, match="damaged"):
            tested.hub.run(bad.id)
        assert tested.hub.listed(bad.id).life.shown is State.FAILED
        [whole] = [run for run in tested.hub.runs() if run.id != bad.id]
        assert (await tested.command(whole, "step", count=1))["step"] == 1
        await tested.hub.delete(bad.id)
        assert [run.id for run in tested.hub.runs()] == [whole.id]


async def test_a_command_that_the_trainer_refuses_is_told_with_the_state_it_found(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        work = tested.launcher.works[run.id]
        work.obeys = False
        asking = asyncio.create_task(tested.command(run, "step", count=1))
        await tested.until(lambda: len(run.commands) == 1)
        [waiting] = run.commands._waiting
        work._say({"kind": "refusal", "id": waiting, "command": "step", "state": "running"})
        with pytest.raises(Forbidden, match="'step' is not possible while the run is 'running'"):
            await asyncio.wait_for(asking, 20)


async def test_a_trainer_that_does_not_start_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_SECS", 0.1)
    async with opened(tmp_path) as tested:
        run = await tested.default()
        tested.launcher.works[run.id].is_alive = False
        tested.launcher.works[run.id].part(tested.hub)
        with pytest.raises(TrainerError, match="did not start in 0 s"):
            await tested.command(run, "play")


async def test_a_shortage_of_room_and_a_failing_disk_are_told_to_every_viewer(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        feed = run.join(acknowledges=False)
        tested.hub._tell_shortage("all that may be thinned is thinned")
        told: list[str] = []
        while len(told) < 2:
            item = await asyncio.wait_for(feed.next(), 20)
            told += [item] if isinstance(item, str) else []
        assert any("all that may be thinned is thinned" in text for text in told)
        run.leave(feed)


async def test_a_server_that_is_stopping_makes_no_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        await tested.default()
    with pytest.raises(Forbidden, match="the server is stopping"):
        await tested.hub.create(RunConfig())


async def test_a_first_run_that_cannot_be_logged_keeps_no_server_from_starting(
    tmp_path: Path,
) -> None:
    tested = HubUnderTest(tmp_path)
    tested.log.fails = True
    await tested.hub.open()
    await asyncio.sleep(0.1)
    assert list(tested.hub.runs()) == []
    tested.log.fails = False
    await tested.hub.close()
