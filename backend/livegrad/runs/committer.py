"""The one writer of the run log. Whatever is to be written goes through its queue; what became of it is told in order.

All runs' writes are committed together, one transaction after the other; what comes meanwhile makes the next one (group
commit). While the log cannot be written, what trainers and the server have to write waits, and is tried again; what a
client asked for is refused at once. In between, complete blocks of steps are compacted, and the log is kept within its
budget. Knows nothing of runs' states, viewers or HTTP.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from livegrad.errors import LogError
from livegrad.runs.trainer_session import Arrival
from livegrad.store.blocks import BLOCK
from livegrad.store.compaction import compact
from livegrad.store.log import RunLog
from livegrad.store.retention import Retention
from livegrad.store.writes import Append, Appended, Broken, Item, Result, Write

RETRY_SECS = 1.0
T = TypeVar("T")
_log = logging.getLogger("livegrad.committer")


@dataclass(slots=True)
class _Job:
    """One write in the queue; None: nothing is written, only its turn is waited for."""

    write: Write | None
    then: Callable[[Result], None]
    client: "asyncio.Future[Result] | None" = None  # who asked, and is not made to wait for the log


Appending = Callable[[list[Arrival], Appended | Broken], None]


@dataclass(slots=True)
class _AppendJob:
    """What a trainer sent since the last commit."""

    run: str
    epoch: int
    on_appended: Appending
    items: list[Item] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)

    @property
    def write(self) -> Append:
        return Append(self.run, self.epoch, tuple(self.items))

    def then(self, result: Result) -> None:
        assert isinstance(result, Appended | Broken)
        self.on_appended(self.arrivals, result)


class Committer:
    """The queue before `log`.

    `on_trouble(why)` is called when the log cannot be written, and with None when it can again; `on_shortage(why)` when
    its budget cannot be kept.
    """

    def __init__(
        self,
        log: RunLog,
        retention: Retention,
        on_trouble: Callable[[str | None], None],
        on_shortage: Callable[[str], None],
    ) -> None:
        self.trouble: str | None = None  # why the log cannot be written at the moment
        self._log, self._retention = log, retention
        self._on_trouble, self._on_shortage = on_trouble, on_shortage
        self._writer = ThreadPoolExecutor(1, "log-writer")
        self._queue: list[_Job | _AppendJob] = []
        # by run: the last job in the queue, if it takes further items
        self._open: dict[str, _AppendJob] = {}
        self._arrived = asyncio.Event()
        self._is_stopping = False
        self._has_untidied = True  # may there be blocks to compact, or room to make?
        self._shortage: str | None = None

    # -- what is to be written

    def append(self, run: str, epoch: int, item: Item, arrival: Arrival, then: Appending) -> None:
        """Write what a trainer sent; `then(arrivals, result)` tells what became of it and of what came with it."""
        job = self._open.get(run)
        if job is None or job.epoch != epoch:
            job = self._open[run] = _AppendJob(run, epoch, then)
            self._queue.append(job)
        job.items.append(item)
        job.arrivals.append(arrival)
        self._arrived.set()

    def write(self, run: str, write: Write, then: Callable[[Result], None]) -> None:
        """Write something of the server's own, however long the log cannot be written."""
        self._put(run, _Job(write, then))

    def drain(self, run: str, then: Callable[[], None]) -> None:
        """Call `then` once everything of the run that is in the queue by now is written."""
        self._put(run, _Job(None, lambda result: then()))

    async def attempt(self, run: str, write: Write) -> Result:
        """Write what a client asked for, or say at once why it cannot be written. Raises LogError."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._put(run, _Job(write, lambda result: None, future))
        result = await asyncio.shield(future)
        if isinstance(result, Broken):
            raise result.error
        return result

    def _put(self, run: str, job: _Job) -> None:
        self._open.pop(run, None)
        self._queue.append(job)
        self._arrived.set()

    def tidy(self) -> None:
        """Say that there may be room to make."""
        self._has_untidied = True
        self._arrived.set()

    # -- writing it

    async def run(self) -> None:
        """Commit for ever, until `stop`."""
        with contextlib.suppress(LogError):  # at the end: what was not written was not acknowledged
            while not self._is_stopping:
                if not self._has_untidied:
                    await self._arrived.wait()
                await self.commit()
                if self._has_untidied and self.trouble is None:
                    await self._tidy()

    async def stop(self) -> None:
        """Commit what is there, and end. What cannot be written now is left out: nobody has seen it."""
        self._is_stopping = True
        self._arrived.set()
        with contextlib.suppress(LogError):
            await self.commit()
        await asyncio.to_thread(self._writer.shutdown)

    async def commit(self) -> None:
        """Commit everything in the queue, again and again until the log can be written.

        In trouble it is tried with nothing in the queue too: commands are refused until it is over.
        """
        self._arrived.clear()
        jobs, self._queue, self._open = self._queue, [], {}
        while jobs or self.trouble is not None:
            try:
                results = await self._in_thread(self._write_all, jobs)
            except LogError as error:
                self._note_trouble(str(error))
                jobs = [*_without_clients(jobs, error), *self._queue]
                self._queue, self._open = [], {}
                if self._is_stopping:
                    raise
                await self._wait_a_moment()
                jobs, self._queue, self._open = [*jobs, *self._queue], [], {}
            else:
                self._note_trouble(None)
                self._tell(jobs, results)
                return

    def _write_all(self, jobs: Sequence[_Job | _AppendJob]) -> list[Result]:
        # In the writer's thread.
        if not jobs:
            self._log.probe()
        writes = [write for job in jobs if (write := job.write) is not None]
        found = iter(self._log.apply(writes) if writes else [])
        return [None if job.write is None else next(found) for job in jobs]

    async def _wait_a_moment(self) -> None:
        # A client is told at once why its wish cannot be written; trainers' messages come in large numbers.
        self._arrived.clear()
        end = asyncio.get_running_loop().time() + RETRY_SECS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                while not self._is_stopping and not any(_has_client(job) for job in self._queue):
                    await self._arrived.wait()
                    self._arrived.clear()

    def _tell(self, jobs: Sequence[_Job | _AppendJob], results: Sequence[Result]) -> None:
        for job, result in zip(jobs, results, strict=True):
            self._has_untidied |= isinstance(result, Appended) and _ends_block(result)
            if isinstance(job, _Job) and job.client is not None and not job.client.done():
                job.client.set_result(result)
            job.then(result)

    async def _tidy(self) -> None:
        # A piece at a time, so that what arrives does not wait for long.
        try:
            self._has_untidied = await self._in_thread(
                lambda: compact(self._log) or self._retention.tidy()
            )
        except LogError as error:  # the next block's end tries again
            self._has_untidied = False
            _log.warning("the run log cannot be tidied: %s", error)
        except Exception:
            self._has_untidied = False
            _log.exception(
                "the run log cannot be tidied: this is a bug in livegrad; training goes on"
            )
        self._note_shortage()

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, function, *arguments)

    def _note_trouble(self, trouble: str | None) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self._on_trouble(trouble)

    def _note_shortage(self) -> None:
        if self._shortage != self._retention.shortage:
            self._shortage = self._retention.shortage
            if self._shortage is not None:
                self._on_shortage(self._shortage)


def _has_client(job: _Job | _AppendJob) -> bool:
    return isinstance(job, _Job) and job.client is not None


def _without_clients(jobs: Sequence[_Job | _AppendJob], error: LogError) -> list[_Job | _AppendJob]:
    # Clients are told now.
    for job in jobs:
        if isinstance(job, _Job) and job.client is not None and not job.client.done():
            job.client.set_exception(error)
    return [job for job in jobs if not _has_client(job)]


def _ends_block(result: Appended) -> bool:
    frames = [item.frame for item in result.taken if item is not None and item.frame is not None]
    return any((frame.last + 1) // BLOCK > frame.first // BLOCK for frame in frames)
