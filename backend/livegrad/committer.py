"""Commits what trainers sent, then publishes it: the only way from an inbox to a viewer. Knows nothing of HTTP.

All runs' arrivals are committed together, one transaction after the other; what arrives meanwhile makes the next one
(group commit). While the log cannot be written, nothing is published, nothing is acknowledged, and training waits.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from livegrad.errors import LogError
from livegrad.lifecycle import FINAL, State, after_loss_of_trainer
from livegrad.log import Appended, Batch, Entry, Event, RunLog
from livegrad.meeting import Arrival, Meeting, Message
from livegrad.protocol import PHASE, encode

RETRY_SECS = 1.0
_log = logging.getLogger("livegrad.committer")


class Committer:
    """The one writer of the log. `meetings()` tells whose inboxes to empty.

    `on_ended(meeting, message)` is called when the end of a run's trainer was committed; `on_gap(meeting, reason)`
    when a trainer left steps out.
    """

    def __init__(
        self,
        log: RunLog,
        meetings: Callable[[], Iterable[Meeting]],
        on_ended: Callable[[Meeting, Message], None],
        on_gap: Callable[[Meeting, str], None],
    ) -> None:
        self._log = log
        self._meetings = meetings
        self._on_ended, self._on_gap = on_ended, on_gap
        self._writer = ThreadPoolExecutor(1, "log-writer")
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._trouble: str | None = None  # why the log cannot be written at the moment

    def start(self) -> None:
        """Begin to commit."""
        self._task = asyncio.create_task(self._commit_forever())

    async def stop(self) -> None:
        """Commit what is there, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.commit()
        self._writer.shutdown()

    async def write(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a writing function of the log, in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, function, *arguments)

    def notice(self) -> None:
        """Say that something has arrived."""
        self._arrived.set()

    async def _commit_forever(self) -> None:
        while True:
            await self._arrived.wait()
            await self.commit()

    async def commit(self) -> None:
        """Commit and publish everything that has arrived."""
        self._arrived.clear()
        arrivals = [(meeting, its) for meeting in list(self._meetings()) if (its := meeting.take_inbox())]
        if not arrivals:
            return
        results = await self._append([_batch(meeting, its) for meeting, its in arrivals])
        for (meeting, its), result in zip(arrivals, results, strict=True):
            if result.gap is not None:
                self._on_gap(meeting, result.gap)
            if not result.refused:
                self._publish(meeting, its, result)
                async with meeting.changed:
                    meeting.changed.notify_all()

    async def _append(self, batches: list[Batch]) -> list[Appended]:
        while True:
            try:
                results: list[Appended] = await self.write(self._log.append, batches)
            except (sqlite3.Error, LogError) as error:
                self._tell_trouble(str(error))
                await asyncio.sleep(RETRY_SECS)
            else:
                self._tell_trouble(None)
                return results

    def _tell_trouble(self, trouble: str | None) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            title, detail = "log-again", "The run log can be written again; training goes on."
        else:
            title, detail = "log", f"The run log cannot be written: {trouble}. Training waits until it can."
        _log.warning(detail)
        for meeting in self._meetings():
            meeting.tell_error(title, detail)

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
