"""Starts processes with torch loaded: forked from a forkserver, or spawned in advance.

Never imports torch. Nothing here blocks the event loop: every answer is awaited, and every wait is
bounded.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from livegrad.errors import NotStarted, ProtocolError, TrainerError
from livegrad.process_protocol import (
    Ended,
    Message,
    Ready,
    Report,
    Start,
    Started,
    StartFailed,
    Task,
)
from livegrad.runs import python_process
from livegrad.runs.end import End, in_signal_words

LOAD_SECS = 120.0  # torch on a cold disk
START_SECS = 20.0  # a process from a warm one, on an overloaded machine
END_SECS = 3.0


class CannotLoad(TrainerError):
    """Torch is missing or cannot be loaded; the text is that of the error."""


class CannotFork(TrainerError):
    """A process that is forked here could not train."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a process ended, and what its call returned."""

    end: End
    result: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """A process at its task. `kill` ends it at once; `outcome` is set when it has ended."""

    pid: int
    outcome: asyncio.Future[Outcome]
    _kill: Callable[[], None] = field(repr=False)

    def kill(self) -> None:
        """Kill the process unless it has ended."""
        if not self.outcome.done():
            with contextlib.suppress(ProcessLookupError):
                self._kill()


class ProcessStarter(Protocol):
    """The interface of both ways to start processes."""

    async def warm_up(self) -> None:
        """Load torch. Raises CannotLoad, CannotFork or NotStarted."""

    async def start(self, task: Task) -> Child:
        """Start a process for `task`. Raises the same errors as `warm_up`."""

    async def close(self) -> None:
        """Kill the processes that wait for tasks, and, with a forkserver, those forked from it."""


class WarmProcess:
    """A process that loads torch and reports it: the forkserver or a spawned process.

    The future `ready` is done once torch is loaded, or raises why not.
    """

    def __init__(self, process: Process, must_fork: bool) -> None:
        self.process = process
        self.is_lost = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._must_fork = must_fork
        self._listener = asyncio.create_task(self._listen())

    async def wait(self) -> None:
        """Wait until torch is loaded. Raises CannotLoad, CannotFork or NotStarted."""
        try:
            await asyncio.wait_for(asyncio.shield(self.ready), LOAD_SECS)
        except TimeoutError:
            self.kill()
            raise NotStarted(f"torch was not loaded in {LOAD_SECS:.0f} s: try again") from None

    def kill(self) -> None:
        """Kill the process."""
        python_process.kill(self.process)

    async def close(self) -> None:
        """Kill the process and wait for its end."""
        self.kill()
        await asyncio.wait({self._listener}, timeout=END_SECS)

    @property
    def has_ended(self) -> bool:
        """Return whether the process is gone and its last message was read."""
        return self._listener.done()

    async def _listen(self) -> None:
        try:
            self._hear_ready(await python_process.read(self.process))
            while True:
                self._hear(await python_process.read(self.process))
        except (EOFError, OSError, ProtocolError):
            pass
        finally:
            await self._lose()

    async def _lose(self) -> None:
        self.is_lost = True
        if self._must_fork:
            self.kill()  # its pipe has ended, so it can do nothing useful any more
        code = await self.process.wait()
        how = in_signal_words(-code) if code < 0 else f"exit code {code}"
        if not self.ready.done():
            self._fail(
                NotStarted(
                    f"the process that loads torch ended with {how}; {python_process.ADVICE}"
                )
            )
        self._on_lost(code, how)

    def _hear_ready(self, message: Message) -> None:
        if not isinstance(message, Ready):
            raise ProtocolError(f"expected 'ready' first, received {message.kind!r}")
        if message.failure is not None and message.is_trouble:
            self._fail(
                NotStarted(f"torch could not be loaded: {message.failure}; {python_process.ADVICE}")
            )
        elif message.failure is not None:
            self._fail(CannotLoad(message.failure))
        elif self._must_fork and not message.can_fork:
            self._fail(CannotFork("torch sees a device whose threads do not survive a fork"))
        else:
            self.ready.set_result(None)

    def _fail(self, error: TrainerError) -> None:
        self.is_lost = True
        self.ready.set_exception(error)
        self.ready.exception()  # perhaps nobody waits for it; asyncio would warn otherwise

    def _hear(self, message: Message) -> None:
        raise NotImplementedError

    def _on_lost(self, code: int, how: str) -> None:
        raise NotImplementedError


class ForkServer(WarmProcess):
    """The forkserver and the processes forked from it, by the number of their start."""

    def __init__(self, process: Process, on_lost: Callable[[], None]) -> None:
        self._on_loss = on_lost
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Child]] = {}
        self._children: dict[int, Child] = {}
        super().__init__(process, must_fork=True)

    async def start(self, task: Task) -> Child:
        """Fork a process for `task`. Raises NotStarted."""
        number = next(self._numbers)
        found: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._waiting[number] = found
        try:
            async with asyncio.timeout(START_SECS):
                await python_process.write(self.process, Start(number, task))
                return await found
        except TimeoutError:
            self.is_lost = True  # for further starts; its processes go on
            raise NotStarted(
                f"no process was started in {START_SECS:.0f} s: the machine may be overloaded"
            ) from None
        except OSError as error:
            raise NotStarted("the forkserver ended") from error
        finally:
            del self._waiting[number]

    def _hear(self, message: Message) -> None:
        match message:
            case Started(number, pid):
                outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
                child = self._children[number] = Child(
                    pid, outcome, lambda: os.kill(pid, signal.SIGKILL)
                )
                waiting = self._waiting.get(number)
                if waiting is None or waiting.done():
                    child.kill()  # the caller has given up
                else:
                    waiting.set_result(child)
            case StartFailed(number, error) if (
                waiting := self._waiting.get(number)
            ) and not waiting.done():
                waiting.set_exception(
                    NotStarted(f"a process could not be started: {error}; {python_process.ADVICE}")
                )
            case Ended(number, code, error, result):
                self._children.pop(number).outcome.set_result(Outcome(End(code, error), result))

    def _on_lost(self, code: int, how: str) -> None:
        # Its processes end by themselves when they notice; a frozen one does not notice.
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(NotStarted(f"the forkserver ended with {how}"))
        children, self._children = self._children, {}
        for child in children.values():
            child.kill()
            child.outcome.set_result(
                Outcome(End(None, f"the process that it was forked from ended with {how}"))
            )
        if self.ready.exception() is None:
            self._on_loss()


class ForkStarter:
    """Forks every process from one forkserver.

    A lost forkserver is replaced, and `on_lost()` is called.
    """

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost
        self._server: ForkServer | None = None
        # they start no more processes; some may still have processes
        self._old: set[ForkServer] = set()
        self._opening = asyncio.Lock()

    async def warm_up(self) -> None:
        """Start a forkserver and wait until it is ready."""
        await self._warm_server()

    async def start(self, task: Task) -> Child:
        """Fork a process."""
        return await (await self._warm_server()).start(task)

    async def close(self) -> None:
        """Kill the forkserver and the processes forked from it."""
        servers = [*self._old, *filter(None, [self._server])]
        await asyncio.gather(*(server.close() for server in servers))

    async def _warm_server(self) -> ForkServer:
        async with self._opening:
            if self._server is None or self._server.is_lost:
                if self._server is not None:
                    self._old = {s for s in (*self._old, self._server) if not s.has_ended}
                process = await python_process.start(
                    "livegrad.training.forkserver", hides_devices=True
                )
                self._server = ForkServer(process, self._on_lost)
            server = self._server
        await server.wait()
        return server


class SpawnedProcess(WarmProcess):
    """A process with torch loaded that waits for its one task."""

    def __init__(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = loop.create_future()
        self._outcome: asyncio.Future[Outcome] = loop.create_future()
        self._said = Report()
        super().__init__(process, must_fork=False)

    async def start(self, task: Task) -> Child:
        """Give the process its task. Raises NotStarted."""
        try:
            async with asyncio.timeout(START_SECS):
                await python_process.write(self.process, Start(1, task))
                await self._started
        except (TimeoutError, OSError) as error:
            self.kill()  # so that it does not take the task later
            raise NotStarted("a waiting process did not take its task: try again") from error
        except asyncio.CancelledError:
            self.kill()
            raise
        return Child(self.process.pid, self._outcome, self.kill)

    def _hear(self, message: Message) -> None:
        match message:
            case Started():
                self._started.set_result(None)
            case Report():
                self._said = message

    def _on_lost(self, code: int, how: str) -> None:
        if not self._started.done():
            self._started.set_exception(NotStarted(f"a waiting process ended with {how}"))
            self._started.exception()
        self._outcome.set_result(Outcome(End(code, self._said.error), self._said.result))


class SpawnStarter:
    """Spawns every process.

    One process is kept ready, so that a new run need not wait for torch.
    """

    def __init__(self) -> None:
        self._spare: asyncio.Task[SpawnedProcess] | None = None
        self._loading = asyncio.Semaphore(os.cpu_count() or 1)  # loading takes a whole core

    async def warm_up(self) -> None:
        """Start a process and wait until it is ready."""
        spare = self._spare
        if spare is None or _is_useless(spare):
            spare = self._prepare()
        await asyncio.shield(spare)

    async def start(self, task: Task) -> Child:
        """Give the ready process its task, and start the next one."""
        process = await self._taken()
        child = await process.start(task)
        if self._spare is None:
            self._prepare()
        return child

    async def close(self) -> None:
        """Kill the waiting process."""
        spare, self._spare = self._spare, None
        if spare is None:
            return
        spare.cancel()
        await asyncio.wait({spare})
        if not spare.cancelled() and spare.exception() is None:
            await spare.result().close()

    async def _taken(self) -> SpawnedProcess:
        spare, self._spare = self._spare, None
        if spare is None or _is_useless(spare):
            return await self._loaded()
        return await spare

    def _prepare(self) -> "asyncio.Task[SpawnedProcess]":
        self._spare = spare = asyncio.create_task(self._loaded())
        spare.add_done_callback(_note_error)
        return spare

    async def _loaded(self) -> SpawnedProcess:
        async with self._loading:
            process = SpawnedProcess(
                await python_process.start("livegrad.training.spawned", hides_devices=False)
            )
            try:
                await process.wait()
            except BaseException:
                await process.close()
                raise
        return process


def _is_useless(spare: "asyncio.Task[SpawnedProcess]") -> bool:
    return spare.done() and (
        spare.cancelled() or spare.exception() is not None or spare.result().is_lost
    )


def _note_error(spare: "asyncio.Task[SpawnedProcess]") -> None:
    if not spare.cancelled():
        # nobody waits for it now; the next start tries again and reports its own error
        spare.exception()
