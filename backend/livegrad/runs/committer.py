"""The only writer of the run log.

Every write goes through its queue, and each result is reported in order.

The writes of all runs are committed together, one transaction after another; writes that arrive
during a transaction form the next one (group commit). While the log cannot be written, writes of
trainers and of the server wait and are tried again, and a client's write is refused at once.
Between commits, complete blocks of steps are compacted, and the log is kept within its budget.
Knows nothing of runs' states, viewers or HTTP.
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
    """One write in the queue. A `write` of None writes nothing and only waits for its turn."""

    write: Write | None
    then: Callable[[Result], None]
    # the client that asked, which is not made to wait for the log
    client: "asyncio.Future[Result] | None" = None


Appending = Callable[[list[Arrival], Appended | Broken], None]


@dataclass(slots=True)
class _AppendJob:
    """The messages of a trainer since the last commit."""

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
    """The queue of writes to `log`.

    `on_trouble(why)` is called when the log cannot be written, and with None when it can be written
    again; `on_shortage(why)` when its budget cannot be kept.
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
        # by run: the last job in the queue, if it accepts further items
        self._open: dict[str, _AppendJob] = {}
        self._arrived = asyncio.Event()
        self._is_stopping = False
        self._needs_tidying = True  # whether there may be blocks to compact or thin
        self._shortage: str | None = None

    # -- adding writes

    def append(self, run: str, epoch: int, item: Item, arrival: Arrival, then: Appending) -> None:
        """Write a trainer's message.

        `then(arrivals, result)` is called with the result of this and of the messages committed
        with it.
        """
        job = self._open.get(run)
        if job is None or job.epoch != epoch:
            job = self._open[run] = _AppendJob(run, epoch, then)
            self._queue.append(job)
        job.items.append(item)
        job.arrivals.append(arrival)
        self._arrived.set()

    def write(self, run: str, write: Write, then: Callable[[Result], None]) -> None:
        """Write on the server's own behalf, and wait for the log as long as necessary."""
        self._put(run, _Job(write, then))

    def drain(self, run: str, then: Callable[[], None]) -> None:
        """Call `then` once all of the run's jobs that are in the queue now are written."""
        self._put(run, _Job(None, lambda result: then()))

    async def attempt(self, run: str, write: Write) -> Result:
        """Write on a client's behalf; if that is impossible now, raise LogError at once."""
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
        """Note that there may be blocks to thin or space to return."""
        self._needs_tidying = True
        self._arrived.set()

    # -- committing

    async def run(self) -> None:
        """Commit until `stop` is called."""
        with contextlib.suppress(LogError):  # at the end; unwritten messages were not acknowledged
            while not self._is_stopping:
                if not self._needs_tidying:
                    await self._arrived.wait()
                await self.commit()
                if self._needs_tidying and self.trouble is None:
                    await self._tidy()

    async def stop(self) -> None:
        """Commit the queue and end.

        Writes that are impossible now are dropped; no viewer has seen them.
        """
        self._is_stopping = True
        self._arrived.set()
        with contextlib.suppress(LogError):
            await self.commit()
        await asyncio.to_thread(self._writer.shutdown)

    async def commit(self) -> None:
        """Commit everything in the queue, and retry until the log can be written.

        While the log cannot be written, it is tried with an empty queue too, since commands are
        refused until it succeeds.
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
                await self._wait_before_retry()
                jobs, self._queue, self._open = [*jobs, *self._queue], [], {}
            else:
                self._note_trouble(None)
                self._tell(jobs, results)
                return

    def _write_all(self, jobs: Sequence[_Job | _AppendJob]) -> list[Result]:
        # This runs in the writer's thread.
        if not jobs:
            self._log.probe()
        writes = [write for job in jobs if (write := job.write) is not None]
        found = iter(self._log.apply(writes) if writes else [])
        return [None if job.write is None else next(found) for job in jobs]

    async def _wait_before_retry(self) -> None:
        # A client's write ends the wait, so that the client is told at once. Trainers' messages,
        # which are many, do not.
        self._arrived.clear()
        end = asyncio.get_running_loop().time() + RETRY_SECS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                while not self._is_stopping and not any(_has_client(job) for job in self._queue):
                    await self._arrived.wait()
                    self._arrived.clear()

    def _tell(self, jobs: Sequence[_Job | _AppendJob], results: Sequence[Result]) -> None:
        for job, result in zip(jobs, results, strict=True):
            self._needs_tidying |= isinstance(result, Appended) and _ends_block(result)
            if isinstance(job, _Job) and job.client is not None and not job.client.done():
                job.client.set_result(result)
            job.then(result)

    async def _tidy(self) -> None:
        # One piece at a time, so that new writes do not wait for long.
        try:
            self._needs_tidying = await self._in_thread(
                lambda: compact(self._log) or self._retention.tidy()
            )
        except LogError as error:  # it is tried again after the next block
            self._needs_tidying = False
            _log.warning("the run log cannot be compacted or thinned: %s", error)
        except Exception:
            self._needs_tidying = False
            _log.exception(
                "the run log cannot be compacted or thinned: this is a bug in livegrad; "
                "training goes on"
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
    # The clients are told now.
    for job in jobs:
        if isinstance(job, _Job) and job.client is not None and not job.client.done():
            job.client.set_exception(error)
    return [job for job in jobs if not _has_client(job)]


def _ends_block(result: Appended) -> bool:
    frames = [item.frame for item in result.taken if item is not None and item.frame is not None]
    return any((frame.last + 1) // BLOCK > frame.first // BLOCK for frame in frames)
