"""Commits what trainers sent, then publishes it: the only way from an inbox to a viewer. Knows nothing of HTTP.

All runs' arrivals are committed together, one transaction after the other; what arrives meanwhile makes the next one
(group commit). While the log cannot be written, nothing is published, nothing is acknowledged, and training waits. In
between, complete blocks of steps are settled, and the log is kept within its budget.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from livegrad.errors import LogError
from livegrad.lifecycle import FINAL, State, after_loss_of_trainer
from livegrad.protocol import PHASE, encode
from livegrad.runs.run import Arrival, Meeting, Message
from livegrad.runs.trainer_session import Port
from livegrad.store.compaction import settle
from livegrad.store.log import Appended, Batch, Entry, Event, RunLog
from livegrad.store.retention import Room
from livegrad.store.summary import BLOCK

RETRY_SECS = 1.0
Result = TypeVar("Result")
_log = logging.getLogger("livegrad.runs.committer")


class Committer:
    """The one writer of the log. `meetings()` tells whose inboxes to empty.

    `on_ended(meeting, message)` is called when the end of a run's trainer was committed; `on_gap(meeting, reason)`
    when a trainer left steps out; `on_parted(meeting, port)` when all is committed that came over a lost connection.
    """

    def __init__(
        self,
        log: RunLog,
        room: Room,
        meetings: Callable[[], Iterable[Meeting]],
        on_ended: Callable[[Meeting, Message], None],
        on_gap: Callable[[Meeting, str], None],
        on_parted: Callable[[Meeting, Port], None],
    ) -> None:
        self._log, self._room = log, room
        self._meetings = meetings
        self._on_ended, self._on_gap, self._on_parted = on_ended, on_gap, on_parted
        self._writer = ThreadPoolExecutor(1, "log-writer")
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._has_untidied = True  # may there be blocks to settle, or room to make?
        self._trouble: str | None = None  # why the log cannot be written at the moment
        self._shortage: str | None = None  # why its budget cannot be kept

    def start(self) -> None:
        """Begin to commit."""
        self._task = asyncio.create_task(self._commit_forever())

    async def stop(self) -> None:
        """Commit what is there, and end. What cannot be written now is left out: nobody has seen it."""
        self._stopping.set()
        self._arrived.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(LogError):
            await self.commit()
        self._writer.shutdown()

    async def attempt(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a writing function of the log, in its thread, once. Raises LogError."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, function, *arguments)

    async def write(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a writing function of the log, in its thread, again and again until the log can be written.

        Raises LogError when the server stops before.
        """
        while True:
            try:
                result = await self.attempt(function, *arguments)
            except LogError as error:
                self._tell_trouble(str(error))
                if self._stopping.is_set():
                    raise
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), RETRY_SECS)
            else:
                self._tell_trouble(None)
                return result

    def tidy(self) -> None:
        """Say that there may be room to make."""
        self._has_untidied = True
        self._arrived.set()

    def notice(self) -> None:
        """Say that something has arrived."""
        self._arrived.set()

    async def _commit_forever(self) -> None:
        with contextlib.suppress(LogError):  # said already, and what was not written was not acknowledged
            while not self._stopping.is_set():
                if not self._has_untidied:
                    await self._arrived.wait()
                await self.commit()
                if self._has_untidied:
                    await self._tidy()

    async def _tidy(self) -> None:
        # A piece at a time, so that what arrives does not wait for long.
        try:
            self._has_untidied = await self.attempt(lambda: settle(self._log) or self._room.tidy())
        except LogError as error:  # the next block's end tries again
            self._has_untidied = False
            _log.warning("the run log cannot be tidied: %s", error)
        self._tell_shortage()

    async def commit(self) -> None:
        """Commit and publish everything that has arrived."""
        self._arrived.clear()
        arrivals = [(meeting, its) for meeting in list(self._meetings()) if (its := meeting.take_inbox())]
        if not arrivals:
            return
        results = await self.write(self._log.append, [_batch(meeting, its) for meeting, its in arrivals])
        self._has_untidied |= any(_ends_block(result) for result in results)
        for (meeting, its), result in zip(arrivals, results, strict=True):
            if result.gap is not None:
                self._on_gap(meeting, result.gap)
            if not result.refused:
                self._publish(meeting, its, result)
            for arrival in its:
                if arrival.message is not None and arrival.message["kind"] == "parted":
                    self._on_parted(meeting, arrival.message["port"])
            async with meeting.changed:
                meeting.changed.notify_all()

    def _tell_trouble(self, trouble: str | None) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        title, detail = "log-again", "The run log can be written again; training goes on."
        if trouble is not None:
            advice = "Training waits, and goes on by itself as soon as it can."
            title, detail = "log", f"The run log cannot be written: {trouble}. {advice}"
        _log.warning(detail)
        for meeting in self._meetings():
            meeting.tell_trouble(title, detail, lasts=trouble is not None)

    def _tell_shortage(self) -> None:
        if self._shortage == self._room.shortage:
            return
        self._shortage = self._room.shortage
        if self._shortage is not None:
            _log.warning(self._shortage)
            for meeting in self._meetings():
                meeting.tell_error("room", self._shortage)

    def _publish(self, meeting: Meeting, arrivals: list[Arrival], result: Appended) -> None:
        stored = iter(result.frames)
        fresh = next(stored, None)
        for arrival in arrivals:
            frame = arrival.frame
            if arrival.epoch != meeting.entry.epoch:
                continue
            if arrival.message is not None:
                self._heed(meeting, arrival.message)
            elif frame is not None and frame.kind == PHASE:
                meeting.publish_picture(frame, arrival.encoded)
            elif frame is not None and fresh is not None and frame.last == fresh.last:
                meeting.publish(fresh, arrival.encoded if fresh is frame else encode(fresh))
                fresh = next(stored, None)
        if meeting.port is not None:
            meeting.port.acknowledge(result.last_step)

    def _heed(self, meeting: Meeting, message: Message) -> None:
        match message["kind"]:
            case "state":
                meeting.note_status(message)
                meeting.tell_state()
            case "answer" | "refusal" if meeting.port is not None:
                meeting.port.answer(message)
            case "failed":
                meeting.entry.state, meeting.entry.reason = State.FAILED, message["reason"]
                meeting.tell_state()
            case "ended":
                self._on_ended(meeting, message)


def _ends_block(result: Appended) -> bool:
    return any((frame.last + 1) // BLOCK > frame.first // BLOCK for frame in result.frames)


def _batch(meeting: Meeting, arrivals: list[Arrival]) -> Batch:
    entry = meeting.entry
    batch = Batch(entry.id, entry.epoch)
    for arrival in arrivals:
        if arrival.epoch != entry.epoch:
            continue
        if arrival.message is not None:
            _note(batch, entry, arrival.message)
        elif arrival.frame is not None and arrival.frame.kind != PHASE:
            batch.frames.append(arrival.frame)
    return batch


def _note(batch: Batch, entry: Entry, message: Message) -> None:
    match message["kind"]:
        case "state":
            tuned = {"lr": message["lr"], "pace": message["pace"]}
            known = {name: batch.changes.get(name, getattr(entry, name)) for name in tuned}
            if tuned != known:
                batch.events.append(Event(message["step"], "tune", tuned))
            batch.changes |= {"state": message["state"], "reason": None, "goal": message.get("goal"), **tuned}
        case "failed":
            batch.changes |= {"state": State.FAILED, "reason": message["reason"]}
        case "ended":
            before = State(batch.changes.get("state", entry.state))
            if before not in FINAL and not message["again"]:  # else it stays what it is to be again
                state = after_loss_of_trainer(before, message["failed"])
                batch.changes |= {"state": state, "reason": message["reason"]}
