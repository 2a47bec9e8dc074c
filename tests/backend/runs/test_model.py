"""Random orders, delays, kills, failing disks and restarts against what must hold of every run's
log.

A real hub, committer, supervisor and run log; simulated trainers. Whatever happens: each step is
there once and follows from the one before it, each change of the learning rate is an event, viewers
miss nothing undeclared, nobody waits for ever, and no answer goes to another command.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pydantic import TypeAdapter

from livegrad.config import Command, RunConfig
from livegrad.errors import LivegradError, LogError
from livegrad.protocol import RECORDS, decode
from livegrad.runs.feed import Feed
from livegrad.runs.hub import Hub
from livegrad.runs.launcher import End
from livegrad.store.log import RunLog
from tests.backend.runs.simulated_trainers import (
    RECORD,
    SimulatedLauncher,
    SimulatedTrainer,
    follow,
)

COMMANDS: TypeAdapter[Command] = TypeAdapter(Command)
RUNS = 3
WHICH = st.integers(0, RUNS - 1)
MANY = st.integers(1, 12)


class FailingLog(RunLog):
    """A run log whose disk fails while `fails` is set."""

    fails = False

    @contextlib.contextmanager
    def transaction(self, takes_over: bool = False) -> Iterator[Any]:
        if self.fails and not takes_over:
            raise LogError("the disk is full: free some space")
        with super().transaction(takes_over) as db:
            yield db


class Disk(ThreadPoolExecutor):
    """Does what it is given in the caller's thread.

    At once or, while it is slow, when it is told to go on.
    """

    def __init__(self) -> None:
        super().__init__(1)
        self.is_slow = False
        self._jobs: deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._jobs.append((future, fn, args))
        if not self.is_slow:
            self.go_on()
        return future

    def go_on(self) -> None:
        while self._jobs:
            future, function, arguments = self._jobs.popleft()
            try:
                result = function(*arguments)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)


class Clock(asyncio.SelectorEventLoop):
    """An event loop that can be told that time has passed."""

    passed = 0.0

    def time(self) -> float:
        return super().time() + self.passed


class ServerModel(RuleBasedStateMachine):
    """A server, its trainers, its clients and its viewers."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Clock()
        self.loop.set_default_executor(Disk())
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.log = FailingLog(self.folder / "log.sqlite3")
        self.asked: dict[int, dict[str, Any]] = {}  # what trainers have answered, by serial number
        self.launcher = SimulatedLauncher(self.asked)
        self.works: list[SimulatedTrainer] = []
        self.tasks: list[tuple[dict[str, Any] | None, asyncio.Task[Any]]] = []
        self.seen: dict[tuple[int, str], dict[int, bytes]] = {}  # by viewer and run: what was shown
        self.feeds: dict[tuple[int, str], Feed] = {}
        self.viewers = 0
        self.deleted: set[str] = set()
        self.erred: set[str] = set()  # runs whose training code raised
        self.serial = 0
        self.crashes: list[BaseException] = []
        self.hub = self._hub()

    def _hub(self) -> Hub:
        launcher: Any = self.launcher
        hub = Hub(self.log, launcher, "ws://x", 10, 10**12, self.crashes.append)
        self.disk = hub._committer._writer = Disk()
        return hub

    def run(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    def within(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function in the event loop, as the server does."""

        async def call() -> None:
            function(*arguments)

        self.run(call())

    def work(self, which: int) -> SimulatedTrainer | None:
        """Return one of the newest trainers, wiring it to its run."""
        for each in self.launcher.all[-6:]:
            each.live = self.hub._runs.get(each.run)
        newest = [each for each in self.launcher.all[-6:] if each.live is not None]
        return newest[which % len(newest)] if newest else None

    def live(self, which: int) -> str | None:
        runs = list(self.hub._runs)
        return runs[which % len(runs)] if runs else None

    async def pause(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    def view(self) -> None:
        for (viewer, run), feed in list(self.feeds.items()):
            while (item := feed._take()) is not None:
                if isinstance(item, bytes) and (frame := decode(item)).kind == RECORDS:
                    assert frame.skipped == 0
                    shown = self.seen[viewer, run]
                    length = frame.record_bytes
                    for place in range(frame.count):
                        step = frame.first + place
                        data = frame.payload[place * length : (place + 1) * length]
                        assert shown.get(step, data) == data, (
                            f"step {step} was shown with other bytes"
                        )
                        assert not shown or step <= max(shown) + 1, (
                            f"a gap before {step}: {max(shown)}"
                        )
                        shown[step] = data

    # -- what can happen

    @initialize()
    def opens(self) -> None:
        self.run(self.hub.open())
        self.all_goes_well_and_a_run_plays(3)

    @rule()
    def somebody_makes_a_run(self) -> None:
        if len(self.hub._runs) >= RUNS:
            return

        async def make() -> None:
            with contextlib.suppress(LivegradError):
                await self.hub.create(RunConfig(pace=None))

        self.tasks.append((None, self.loop.create_task(make())))

    @rule(turns=st.integers(1, 30))
    def the_server_gets_time(self, turns: int) -> None:
        self.run(self.pause(turns))
        self.view()

    @rule(secs=st.sampled_from([0.3, 1.6, 11.0]))
    def time_passes(self, secs: float) -> None:
        self.loop.passed += secs
        self.run(self.pause(2))

    @rule(which=WHICH)
    def a_trainer_connects(self, which: int) -> None:
        if (work := self.work(which)) is not None and work.is_alive and work.live is not None:
            self.tasks.append((None, self.loop.create_task(work.connect(self.hub))))
            self.run(self.pause(1))

    @rule(which=WHICH, steps=MANY)
    def a_trainer_trains(self, which: int, steps: int) -> None:
        if (work := self.work(which)) is not None and work.is_alive and work.plays:
            work.train(steps)

    @rule(which=WHICH, most=MANY)
    def a_trainer_sends(self, which: int, most: int) -> None:
        if (work := self.work(which)) is not None:
            work.send(most)

    @rule(which=WHICH, most=MANY)
    def what_was_sent_arrives(self, which: int, most: int) -> None:
        if (work := self.work(which)) is not None:
            self.within(work.arrive, self.hub, most)

    @rule(which=WHICH)
    def a_trainer_reads(self, which: int) -> None:
        if (work := self.work(which)) is not None:
            self.run(work.read())

    @rule(which=WHICH)
    def a_trainer_does_all_that(self, which: int) -> None:
        self.a_trainer_connects(which)
        if (work := self.work(which)) is not None:
            self.run(work.read())
            if work.plays and work.is_alive:
                work.train(3)
            work.send(20)
            self.within(work.arrive, self.hub, 20)

    @rule(rounds=st.integers(1, 6))
    def all_goes_well_for_a_while(self, rounds: int) -> None:
        """Let every trainer work.

        Hypothesis chooses among rules alike, and most of them are troubles.
        """
        for _ in range(rounds):
            self.run(self.pause(10))
            for work in list(self.launcher.works.values()):
                work.live = self.hub._runs.get(work.run)
                if work.is_alive and work.live is not None:
                    self.tasks.append((None, self.loop.create_task(work.connect(self.hub))))
                    self.run(self.pause(10))
                    self.run(work.read())
                    if work.plays:
                        work.train(3)
                    work.send(30)
                    self.within(work.arrive, self.hub, 30)
        self.view()

    @rule(rounds=st.integers(1, 6))
    def all_goes_well_and_a_run_plays(self, rounds: int) -> None:
        """Let a run play, and look at it meanwhile."""
        self.somebody_commands(rounds, "play")
        self.a_viewer_comes(rounds)
        self.all_goes_well_for_a_while(rounds)

    @rule(rounds=st.integers(1, 6), which=WHICH, kind=st.sampled_from(["pause", "step", "tune"]))
    def all_goes_well_and_commands_come(self, rounds: int, which: int, kind: str) -> None:
        """Command a run that is well."""
        self.all_goes_well_and_a_run_plays(rounds)
        self.somebody_commands(which, kind)
        self.all_goes_well_for_a_while(2)

    @rule(which=WHICH)
    def a_connection_is_cut(self, which: int) -> None:
        if (work := self.work(which)) is not None:
            self.within(work.part, self.hub)

    @rule(which=WHICH)
    def a_trainer_is_killed(self, which: int) -> None:
        if (work := self.work(which)) is not None:
            self.within(work.report, End(-9))

    @rule(which=WHICH)
    def a_killed_trainers_connection_ends(self, which: int) -> None:
        if (work := self.work(which)) is not None and not work.is_alive:
            self.within(work.part, self.hub)

    @rule(which=WHICH)
    def the_training_code_raises(self, which: int) -> None:
        if (work := self.work(which)) is not None and work.is_alive and self.serial % 5 == 0:
            work.fail()
            self.erred.add(work.run)

    @rule(refuses=st.booleans())
    def processes_cannot_be_started_or_can_again(self, refuses: bool) -> None:
        self.launcher.refuses = refuses

    @rule(fails=st.booleans())
    def the_disk_fails_or_recovers(self, fails: bool) -> None:
        self.log.fails = fails

    @rule(is_slow=st.booleans())
    def the_disk_is_slow_or_goes_on(self, is_slow: bool) -> None:
        self.disk.is_slow = is_slow
        self.disk.go_on()

    @rule(which=WHICH, kind=st.sampled_from(["play", "play", "pause", "step", "tune"]))
    def somebody_commands(self, which: int, kind: str) -> None:
        if (run := self.live(which)) is None:
            return
        self.serial += 1
        plain: dict[str, Any] = {"kind": kind}
        if kind == "step":
            plain["count"] = self.serial
        if kind == "tune":
            plain["lr"] = self.serial / 1000

        async def ask() -> Any:
            command = COMMANDS.validate_python(plain)
            try:
                return await self.hub.command(run, command)
            except LivegradError as error:
                return error

        self.tasks.append((plain, self.loop.create_task(ask())))
        self.run(self.pause(1))

    @rule(which=WHICH)
    def somebody_deletes(self, which: int) -> None:
        if (run := self.live(which)) is None or self.serial % 3:
            return

        async def delete() -> None:
            with contextlib.suppress(LivegradError):
                await self.hub.delete(run)
                self.deleted.add(run)

        self.tasks.append((None, self.loop.create_task(delete())))

    @rule(which=WHICH)
    def a_viewer_comes(self, which: int) -> None:
        if (run := self.live(which)) is not None and len(self.feeds) < 8:
            self.viewers += 1
            key = (self.viewers, run)
            self.feeds[key] = self.hub.run(run).join(acknowledges=False)
            self.seen[key] = {}

    @rule(gently=st.booleans())
    def the_server_is_started_again(self, gently: bool) -> None:
        self._end(gently)
        self.hub = self._hub()
        self.run(self.hub.open())

    # -- what must hold

    def _end(self, gently: bool) -> None:
        self.view()
        self.feeds.clear()
        self.log.fails = self.disk.is_slow = False
        self.disk.go_on()
        if gently:
            closing = self.loop.create_task(self.hub.close())
            while not closing.done():
                self.loop.passed += 1.0
                self.run(self.pause(4))
                for work in self.launcher.all[-6:]:
                    self.run(work.read())
                    if not work.is_alive:
                        self.within(work.part, self.hub)
                        self.within(work.report, End(0))
            closing.result()
        else:  # kill -9: what was under way is gone
            self.run(_kill(self.hub))
        self.log = FailingLog(self.folder / "log.sqlite3") if gently else self.log
        for work in self.launcher.all:
            work.session = None
            work.wire.clear()
            work.is_reported = True  # a new server hears of no earlier one's processes
        for _, task in self.tasks:
            task.cancel()
        self.run(asyncio.wait({task for _, task in self.tasks})) if self.tasks else None
        self.tasks.clear()
        self.launcher.works.clear()
        self._check_log()

    def _check_log(self) -> None:
        for entry in self.log.runs():
            assert entry.id not in self.deleted, "a deleted run came back"
            assert entry.state != "failed" or entry.id in self.erred, entry
            rates = [(0, entry.config["optimizer"]["lr"])]
            rates += [(event["step"], event["lr"]) for event in self.log.events(entry.id)]
            assert [at for at, _ in rates] == sorted(at for at, _ in rates), (
                "a change of the rate came again"
            )
            weight, expected = 1.0, 0
            for frame in self.log.frames(entry.id, 0, 10**9):
                for place in range(frame.count):
                    step = frame.first + place
                    data = frame.payload[place * RECORD.size : (place + 1) * RECORD.size]
                    _, _, lr, found, _ = RECORD.unpack(data)
                    assert step == expected, f"step {step} after {expected - 1}"
                    if step > 0:
                        rate = [lr for at, lr in rates if at < step][-1]
                        assert RECORD.unpack(RECORD.pack(0, 0, rate, 0, 0))[2] == lr, (
                            step,
                            rates,
                            lr,
                        )
                        weight = follow(weight, rate, step)
                    assert found == weight, f"step {step} does not follow from the one before it"
                    expected = step + 1
                    for (_, run), shown in self.seen.items():
                        if run == entry.id and step in shown:
                            assert shown[step] == data
            assert expected - 1 == entry.last_step
            for (_, run), shown in self.seen.items():
                assert run != entry.id or not shown or max(shown) <= entry.last_step, (
                    "shown, and not logged"
                )

    @invariant()
    def nothing_crashes(self) -> None:
        assert not self.crashes, self.crashes

    @invariant()
    def each_answer_goes_to_the_command_that_asked(self) -> None:
        for asked, task in self.tasks:
            if asked is not None and task.done() and isinstance(answer := task.result(), dict):
                assert self.asked[answer["applied_at_step"]].items() >= asked.items()

    def teardown(self) -> None:
        try:
            self._finish()
        finally:
            self.run(_cancel_all())
            self.loop.close()
            shutil.rmtree(self.folder)

    def _finish(self) -> None:
        # Everything recovers, every trainer dies: then nobody waits any more.
        self.log.fails = self.launcher.refuses = self.disk.is_slow = False
        self.disk.go_on()
        for _ in range(60):
            for work in self.launcher.all:
                self.within(work.report, End(-9))
                work.live = self.hub._runs.get(work.run)
                self.within(work.part, self.hub)
            self.loop.passed += 3.0
            self.run(self.pause(12))
            if all(task.done() for _, task in self.tasks):
                break
        self.each_answer_goes_to_the_command_that_asked()
        waiting = [asked for asked, task in self.tasks if not task.done()]
        assert not waiting, f"nobody answers {waiting}"
        self._end(gently=True)
        self.log.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _kill(hub: Hub) -> None:
    if hub._life is not None:
        hub._life.cancel()
        await asyncio.wait({hub._life})


def _settings(runs: int) -> settings:
    return settings(
        max_examples=runs,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[Phase.generate],
    )


def test_random_histories_keep_every_log_whole_and_answer_every_command() -> None:
    run_state_machine_as_test(ServerModel, settings=_settings(40))


@pytest.mark.long
def test_a_thousand_random_histories_keep_every_log_whole() -> None:
    run_state_machine_as_test(ServerModel, settings=_settings(1000))
