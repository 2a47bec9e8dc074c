"""Starts trainers on this machine, one process per run. Never imports torch.

Knows nothing of runs' states: it reports when and how a process has ended. Failures that the system
causes, to a process or to its forkserver, are retried here and then reported as such, never as an
error of the run.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from livegrad.assignment import Assignment
from livegrad.errors import NotStarted, SettingsError
from livegrad.process_protocol import FAILED, Task
from livegrad.runs.end import End
from livegrad.runs.process_starter import (
    CannotFork,
    CannotLoad,
    Child,
    ForkStarter,
    Outcome,
    ProcessStarter,
    SpawnStarter,
)

__all__ = ["End", "Ended", "Launcher"]

STOP_SECS = 3.0
PAUSES_SECS = (0.0, 0.1, 0.5, 2.0)  # before each try to start a process
METHOD = "LIVEGRAD_START_METHOD"

Ended = Callable[[End], None]
T = TypeVar("T")
logger = logging.getLogger(__name__)


def start_method(asked: str | None) -> str:
    """Return "fork" or "spawn": the method asked for, or this system's default.

    Raises SettingsError.
    """
    # Apple's libraries do not survive a fork
    can_fork = hasattr(os, "fork") and sys.platform != "darwin"
    if asked not in (None, "", "fork", "spawn"):
        raise SettingsError(f"{METHOD}: expected fork or spawn, received {asked!r:.100}")
    if asked == "fork" and not can_fork:
        raise SettingsError(f"{METHOD}: fork is not possible on this system; unset the variable")
    return asked or ("fork" if can_fork else "spawn")


class Launcher:
    """This machine's trainers, by run. Only the event loop's thread may call its methods.

    `method` is "fork" or "spawn"; if None, LIVEGRAD_START_METHOD of the environment decides, or
    what this system can do. Raises SettingsError.
    """

    def __init__(self, method: str | None = None) -> None:
        method = start_method(method or os.environ.get(METHOD))
        self._source: ProcessStarter = (
            ForkStarter(self._warm_again) if method == "fork" else SpawnStarter()
        )
        # a forking one that proved impossible on this machine
        self._forking_source: ProcessStarter | None = None
        self._children: dict[str, Child] = {}  # the newest of each run
        self._living: set[Child] = set()  # including replaced ones, until they have ended
        # by run: the newest start, while it is in progress
        self._starting: dict[str, object] = {}
        self._warming: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self.is_warm = False  # whether torch was loaded
        self.warm_failure: str | None = None  # why the last attempt to load torch failed

    async def warm_up(self) -> None:
        """Load torch in a separate process; keep the reason if it fails."""
        with contextlib.suppress(CannotLoad, NotStarted):  # each start tries again and reports it
            await self._with_retries(lambda source: source.warm_up())

    async def start(self, run: str, assignment: Assignment, on_end: Ended) -> None:
        """Start a trainer for `run` and kill an earlier one.

        `on_end(how)` is called when its process has ended. Raises NotStarted when the system does
        not let a process start.
        """
        turn = self._starting[run] = object()
        if run in self._children:
            self._children.pop(run).kill()
        try:
            child = await self.begin(assignment)
        except CannotLoad as error:
            asyncio.get_running_loop().call_soon(on_end, End(FAILED, str(error)))
            return
        finally:
            if is_newest := self._starting.get(run) is turn:
                del self._starting[run]
        child.outcome.add_done_callback(
            lambda outcome: self._on_end(run, child, outcome.result(), on_end)
        )
        if is_newest:
            self._children[run] = child
        else:
            child.kill()  # in the meantime it was ended, or another was started

    async def begin(self, task: Task) -> Child:
        """Start a process for `task`.

        Raises CannotLoad without torch, NotStarted when the system does not let it start.
        """
        child = await self._with_retries(lambda source: source.start(task))
        self._living.add(child)
        child.outcome.add_done_callback(lambda outcome: self._living.discard(child))
        return child

    async def end(self, run: str, patience_secs: float = STOP_SECS) -> None:
        """Wait briefly for the run's trainer to end by itself, then kill it.

        One that is still being started is killed.
        """
        self._starting.pop(run, None)
        if (child := self._children.get(run)) is not None:
            await _end(child, patience_secs)

    async def end_all(self) -> None:
        """End every trainer, including replaced ones."""
        await asyncio.gather(
            *(self.end(run) for run in {*self._starting, *self._children}),
            *(_end(child, 0) for child in self._living - set(self._children.values())),
        )

    def pid(self, run: str) -> int | None:
        """Return the process id of the run's trainer, or None if none is alive."""
        child = self._children.get(run)
        return child.pid if child else None

    async def close(self) -> None:
        """Kill every process, whatever its state."""
        self._is_closed = True
        self._starting.clear()
        for task in self._warming:
            task.cancel()
        await asyncio.gather(*(_end(child, 0) for child in self._living))
        await asyncio.gather(
            *(source.close() for source in (self._source, self._forking_source) if source)
        )

    def _on_end(self, run: str, child: Child, outcome: Outcome, on_end: Ended) -> None:
        if self._children.get(run) is child:
            del self._children[run]
        on_end(outcome.end)

    async def _with_retries(self, act: Callable[[ProcessStarter], Awaitable[T]]) -> T:
        # The system's trouble may be over in a moment, and another forkserver may succeed where
        # this one cannot.
        trouble = NotStarted("no process could be started")
        for pause in PAUSES_SECS:
            await asyncio.sleep(pause)
            try:
                found = await act(self._source)
            except CannotFork as error:
                self._switch_to_spawning(str(error))
            except CannotLoad as error:
                self.is_warm, self.warm_failure = False, str(error)
                raise
            except NotStarted as error:
                trouble = error
            else:
                self.is_warm, self.warm_failure = True, None
                return found
        raise trouble

    def _switch_to_spawning(self, reason: str) -> None:
        if self._forking_source is None:
            logger.info("processes are spawned, not forked: %s", reason)
            self._forking_source, self._source = self._source, SpawnStarter()

    def _warm_again(self) -> None:
        # The forkserver was lost; have another one ready for the next start.
        if not self._is_closed:
            task = asyncio.create_task(self.warm_up())
            self._warming.add(task)
            task.add_done_callback(self._warming.discard)


async def _end(child: Child, patience_secs: float) -> None:
    done, _ = await asyncio.wait({child.outcome}, timeout=patience_secs)
    if not done:
        child.kill()
        await asyncio.wait({child.outcome}, timeout=STOP_SECS)
