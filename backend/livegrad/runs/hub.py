"""Creates, continues, commands and deletes runs; connects trainers, log and viewers.

Knows neither HTTP nor torch.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from livegrad.config import Command, RunConfig
from livegrad.errors import (
    Forbidden,
    LivegradError,
    LogError,
    RunDamaged,
    TrainerError,
    UnknownThing,
)
from livegrad.lifecycle.events import BeginAsked, Deleted, Opened
from livegrad.lifecycle.states import State, Verdict, judge
from livegrad.runs.commands import Reply, Waiting
from livegrad.runs.committer import Committer
from livegrad.runs.ingest import unlogged
from livegrad.runs.launcher import Launcher
from livegrad.runs.run import LiveRun
from livegrad.runs.supervisor import Supervisor
from livegrad.runs.trainer_messages import Refusal
from livegrad.store.entry import Entry
from livegrad.store.log import RunLog
from livegrad.store.retention import Retention
from livegrad.store.writes import Create, Delete

T = TypeVar("T")
START_SECS = 120.0  # torch on a cold disk
ANSWER_SECS = 600.0  # 10,000 steps of the slowest network
_log = logging.getLogger("livegrad.hub")


class Hub:
    """All runs. Only the event loop's thread may call its methods; other threads use only the log.

    `url` is the websocket address of this server as seen by a trainer on this machine; `keep` is
    the run log's budget in bytes. `on_crash(error)` is called when a task ends because of an
    unexpected error: the server must end.
    """

    def __init__(
        self,
        log: RunLog,
        launcher: Launcher,
        url: str,
        max_runs: int,
        keep: int,
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self.log = log
        self.launcher = launcher
        self._max_runs = max_runs
        self._on_crash = on_crash
        self._runs: dict[str, LiveRun] = {}  # newest first
        # stand-ins for runs that cannot be read from the log
        self._damaged: dict[str, LiveRun] = {}
        self._creating = 0  # the number of runs that are being written to the log
        self._retention = Retention(log, keep)
        self._committer = Committer(log, self._retention, self._tell_trouble, self._tell_shortage)
        self.supervisor = Supervisor(log, launcher, self._committer, url, self._spawn, self._forget)
        self._tasks: asyncio.TaskGroup | None = None  # set while the hub is open
        self._children: set[asyncio.Task[None]] = set()
        self._life: asyncio.Task[None] | None = None
        self._is_ending = asyncio.Event()

    # -- opening and closing

    async def open(self) -> None:
        """Load every run and start the committer; create the default run in an empty log."""
        for entry in reversed(await asyncio.to_thread(self.log.runs)):
            newest = await asyncio.to_thread(self.log.frame, entry.id, entry.last_step)
            self._add(LiveRun(entry, newest))
        for damaged, reason in self.log.damaged_runs().items():
            self._damaged[damaged] = _stand_in(damaged, reason)
        is_ready = asyncio.Event()
        self._life = asyncio.create_task(self._live(is_ready))
        await is_ready.wait()
        self._spawn(self._committer.run())
        self._spawn(self.launcher.warm_up())
        live = [run for run in self.runs() if run.life.is_live]
        for place, run in enumerate(live):
            self.supervisor.tell(run, Opened(may_train=place < self._max_runs))
        if not self._runs and not self._damaged:
            await self._make_default()

    async def _live(self, is_ready: asyncio.Event) -> None:
        try:
            async with asyncio.TaskGroup() as self._tasks:
                is_ready.set()
                await self._is_ending.wait()
                for task in self._children:
                    task.cancel()
        except BaseExceptionGroup as group:
            self._on_crash(group)
        finally:
            self._tasks = None

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None or self._is_ending.is_set():
            coroutine.close()
            return
        try:
            task = self._tasks.create_task(coroutine)
        except RuntimeError:  # the group ends because of an error of another task
            coroutine.close()
            return
        self._children.add(task)
        task.add_done_callback(self._children.discard)

    async def _shielded(self, coroutine: Coroutine[Any, Any, T]) -> T:
        # The caller may be cancelled before the write is logged; memory and log must agree even
        # then.
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def carry_out() -> None:
            try:
                value = await coroutine
            except LivegradError as error:
                if not result.done():
                    result.set_exception(error)
            else:
                if not result.done():
                    result.set_result(value)

        if self._tasks is None or self._is_ending.is_set():
            coroutine.close()
            raise Forbidden("the server is stopping")
        self._spawn(carry_out())
        return await result

    async def _make_default(self) -> None:
        try:
            await self.create(RunConfig())
        except LogError as error:  # it is created when the server starts again
            _log.warning("the first run cannot be created: %s", error)

    async def close(self) -> None:
        """Stop every trainer, commit its last messages, and end."""
        await self.stop_trainers()
        await self._committer.stop()
        self._is_ending.set()
        if self._life is not None:
            await self._life
        for run in self.runs():
            for feed in list(run.feeds):
                run.leave(feed)
        await asyncio.to_thread(self.log.close)

    async def stop_trainers(self) -> None:
        """Stop every trainer while its connection still exists."""
        await self.supervisor.close(self.runs())

    # -- runs

    def runs(self) -> Iterable[LiveRun]:
        """Return every run, newest first, followed by the runs that cannot be read."""
        return [*self._runs.values(), *self._damaged.values()]

    def run(self, run: str) -> LiveRun:
        """Return the run. Raises UnknownThing; RunDamaged for a run that cannot be read."""
        if (damaged := self._damaged.get(run)) is not None:
            raise RunDamaged(damaged.life.reason)
        if (found := self._runs.get(run)) is None:
            raise UnknownThing(f"there is no run {run!r:.100}")
        return found

    def listed(self, run: str) -> LiveRun:
        """Return the run, or the stand-in for one that cannot be read. Raises UnknownThing."""
        return self._damaged.get(run) or self.run(run)

    def _add(self, run: LiveRun) -> None:
        self._runs = {run.id: run, **self._runs}

    async def create(
        self, config: RunConfig, parent: str | None = None, parent_step: int | None = None
    ) -> LiveRun:
        """Create a run, or one that continues `parent` after `parent_step`.

        The run is in the log when this returns; its trainer starts in the background. Raises
        Forbidden beyond the limit of runs at once; LogError if the run cannot be logged, and then
        it does not exist.
        """
        self._check_limit()
        entry = Entry(
            id=secrets.token_hex(4),
            name=config.name,
            config=config.model_dump(mode="json"),
            created_at=time.time(),
            state=State.STARTING,
            reason=None,
            epoch=0,
            secret="",
            lr=config.optimizer.lr,
            pace=config.pace,
            columns=(),
            data={},
            last_step=(parent_step or 0) - 1,
            parent=parent,
            parent_step=parent_step,
        )
        self._creating += 1  # before anything is awaited, because others may ask at the same time
        return await self._shielded(self._create(entry))

    async def _create(self, entry: Entry) -> LiveRun:
        try:
            await self._committer.attempt(entry.id, Create(entry))
        finally:
            self._creating -= 1
        run = LiveRun(entry, None)
        self._add(run)
        self.supervisor.tell(run, BeginAsked())
        return run

    def _check_limit(self) -> None:
        live = self._creating + sum(run.life.is_live for run in self.runs())
        if live >= self._max_runs:
            raise Forbidden(
                f"{live} runs are under way, which is the limit of this server (--max-runs): "
                "let one finish, or delete one"
            )

    async def delete(self, run: str) -> None:
        """Remove the run with its whole history, then stop its trainer.

        Raises UnknownThing; LogError if it cannot be removed, and then it stays.
        """
        found = self.listed(run)
        await self._shielded(self._delete(found))

    async def _delete(self, run: LiveRun) -> None:
        await self._committer.attempt(run.id, Delete(run.id))
        self.supervisor.tell(run, Deleted())
        self._retention.give_back()
        self._committer.tidy()
        run.tell_error("deleted", f"run {run.id} was deleted")
        await asyncio.sleep(0)
        for feed in list(run.feeds):
            run.leave(feed)

    def _forget(self, run: LiveRun) -> None:
        self._runs.pop(run.id, None)
        self._damaged.pop(run.id, None)

    # -- trouble with the log

    def _tell_trouble(self, trouble: str | None) -> None:
        title, detail = "log-again", "The run log can be written again; training goes on."
        if trouble is not None:
            advice = "Training waits, and goes on by itself as soon as it can."
            title, detail = "log", f"The run log cannot be written: {trouble}. {advice}"
        _log.warning(detail)
        for run in self.runs():
            run.tell_trouble(title, detail, lasts=trouble is not None)
            self.supervisor.ingest.note_trouble(run)

    def _tell_shortage(self, shortage: str) -> None:
        _log.warning(shortage)
        for run in self.runs():
            run.tell_error("room", shortage)

    # -- commands

    async def command(self, run: str, command: Command) -> dict[str, Any]:
        """Carry out a command and return its documented answer.

        Raises:
            UnknownThing: no such run, or it was deleted in the meantime.
            Forbidden: the run's state forbids the command.
            TrainerError: the trainer ended, or did not answer in time.
            LogError: the run log cannot be written; only `pause` is answered then.
        """
        found = self.run(run)
        if self._committer.trouble is not None and command.kind != "pause":
            raise unlogged(self._committer.trouble)
        self._check_state(found, command)
        waiting = found.commands.add(_plain(command))
        try:
            self.supervisor.send_commands(found)
            reply = await self._reply(found, waiting)
        finally:
            found.commands.drop(waiting)
        if isinstance(reply, Refusal):
            raise Forbidden(f"{command.kind!r} is not possible while the run is '{reply.state}'")
        return reply.model_dump(mode="json", include={"applied_at_step", "state", "phase", "step"})

    def _check_state(self, run: LiveRun, command: Command) -> None:
        # A command that asks for training starts an interrupted run's trainer.
        state = run.life.shown
        verdict = judge(state, command.kind)
        if verdict is Verdict.REFUSE:
            raise Forbidden(f"{command.kind!r} is not possible while the run is '{state}'")
        if verdict is Verdict.RESUME:
            self._check_limit()
            self.supervisor.tell(run, BeginAsked())

    async def _reply(self, run: LiveRun, waiting: Waiting) -> Reply:
        done, _ = await asyncio.wait({waiting.future}, timeout=START_SECS)
        if not done and waiting.epoch is None:
            raise TrainerError(f"run {run.id}'s trainer did not start in {START_SECS:.0f} s")
        if not done:
            done, _ = await asyncio.wait({waiting.future}, timeout=ANSWER_SECS - START_SECS)
        if not done:
            raise TrainerError(f"run {run.id}'s trainer did not answer in {ANSWER_SECS:.0f} s")
        return waiting.future.result()


def _stand_in(run: str, reason: str) -> LiveRun:
    # Returns the stand-in for a run whose row or newest record cannot be read. Only its id is
    # certain.
    return LiveRun(
        Entry(
            run, f"damaged run {run}", {}, 0.0, State.FAILED, reason, 0, "", 0.0, None, (), {}, -1
        ),
        None,
    )


def _plain(command: Command) -> dict[str, Any]:
    plain = command.model_dump(mode="json", exclude_unset=True) | {"kind": command.kind}
    if command.kind == "step":
        plain["count"] = command.count
    return plain
