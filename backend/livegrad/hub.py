"""Where everybody meets: trainers in, the log, viewers out, commands back. Knows nothing of HTTP or torch.

Records become visible only after they are committed. All runs' arrivals are committed together, one transaction after
the other; what arrives meanwhile makes the next one (group commit).
"""

import asyncio
import hashlib
import json
import logging
import secrets
import sqlite3
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from livegrad.assignment import Address, Assignment, Origin
from livegrad.config import Command, RunConfig
from livegrad.errors import Forbidden, LogError, ProtocolError, StaleEpoch, TrainerError, UnknownThing
from livegrad.launcher import Launcher
from livegrad.lifecycle import FINAL, LIVE, State, Verdict, after_loss_of_trainer, judge
from livegrad.log import Appended, Batch, Entry, Event, RunLog
from livegrad.meeting import Arrival, Meeting, Message, grad_states_between
from livegrad.port import Port
from livegrad.protocol import PHASE, columns_from_json, decode, encode, record_bytes, required

START_SECS = 120.0  # torch on a cold disk
ANSWER_SECS = 600.0  # 10,000 steps of the slowest network
RETRY_SECS = 1.0
_log = logging.getLogger("livegrad.hub")


def digest(secret: str) -> str:
    """Return what the log keeps of a run's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Hub:
    """All runs. Its methods belong to the event loop's thread; only the log is touched from others.

    `url` is the websocket address of this server, as a trainer on this machine reaches it.
    """

    def __init__(self, log: RunLog, launcher: Launcher, url: str, max_runs: int) -> None:
        self.log = log
        self.launcher = launcher
        self.url = url
        self._max_runs = max_runs
        self._meetings: dict[str, Meeting] = {}  # newest first
        self._writer = ThreadPoolExecutor(1, "log-writer")
        self._arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._committer: asyncio.Task[None] | None = None
        self._is_closing = False

    # -- the hub's own life

    async def open(self) -> None:
        """Take up every run of the log, make the default run if there is none, and begin to commit."""
        for entry in reversed(await asyncio.to_thread(self.log.runs)):
            newest = await asyncio.to_thread(self.log.frame, entry.id, entry.last_step)
            if entry.state in LIVE:
                entry.state, entry.reason = State.INTERRUPTED, "the server ended while it was under way"
            self._add(Meeting(entry, newest))
        self._committer = asyncio.create_task(self._commit_forever())
        self._keep(asyncio.create_task(self.launcher.warm_up()))
        if not self._meetings:
            self.create(RunConfig())

    async def close(self) -> None:
        """Stop every trainer, commit what they still had to say, and end."""
        self._is_closing = True
        for meeting in self._meetings.values():
            if meeting.port is not None:
                meeting.port.say({"kind": "stop"})
        await self.launcher.end_all()
        for task in [*self._tasks, self._committer]:
            if task is not None:
                task.cancel()
        await asyncio.gather(*self._tasks, *filter(None, [self._committer]), return_exceptions=True)
        await self._commit()
        for meeting in self._meetings.values():
            for feed in list(meeting.feeds):
                meeting.leave(feed)
        self._writer.shutdown()
        self.log.close()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _add(self, meeting: Meeting) -> None:
        self._meetings = {meeting.id: meeting, **self._meetings}

    # -- runs

    def meetings(self) -> Iterable[Meeting]:
        """Return every run, newest first."""
        return self._meetings.values()

    def meeting(self, run: str) -> Meeting:
        """Return the run. Raises UnknownThing."""
        if (found := self._meetings.get(run)) is None:
            raise UnknownThing(f"there is no run {run!r}")
        return found

    def create(self, config: RunConfig) -> Meeting:
        """Make a run and start its trainer, in the background. Raises Forbidden beyond the limit."""
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
            last_step=-1,
        )
        meeting = Meeting(entry, None)
        self._add(meeting)
        self._keep(asyncio.create_task(self._begin(meeting)))
        return meeting

    def _check_limit(self) -> None:
        live = sum(meeting.is_live for meeting in self._meetings.values())
        if live >= self._max_runs:
            raise Forbidden(
                f"{live} runs are under way, the most that this server starts at once (--max-runs): "
                "let one finish, or delete one"
            )

    async def _begin(self, meeting: Meeting) -> None:
        await self._write(self.log.create, meeting.entry)
        await self._start_trainer(meeting)

    async def _write(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._writer, function, *arguments)

    async def delete(self, run: str) -> None:
        """Stop the run's trainer and remove its whole history. Raises UnknownThing."""
        meeting = self.meeting(run)
        meeting.is_deleted = True
        del self._meetings[run]
        if meeting.port is not None:
            meeting.port.say({"kind": "stop"})
        await self.launcher.end(run)
        meeting.tell_error("deleted", f"run {run} was deleted")
        await self._write(self.log.delete, run)
        await asyncio.sleep(0)
        for feed in list(meeting.feeds):
            meeting.leave(feed)

    # -- trainers

    async def _start_trainer(self, meeting: Meeting) -> None:
        entry = meeting.entry
        secret = secrets.token_urlsafe(32)
        origin = None
        if meeting.newest is not None and entry.last_step > 0:
            origin = Origin(entry.last_step, meeting.newest.payload, entry.lr)
        entry.state, entry.reason = State.STARTING, None
        entry.secret = digest(secret)
        entry.epoch += 1  # no other trainer of this run is let in while the log counts it
        entry.epoch = epoch = await self._write(self.log.begin_epoch, entry.id, entry.secret)
        meeting.tell_state()
        address = Address(f"{self.url}/api/runs/{entry.id}/trainer", secret, epoch)
        assignment = Assignment(address, json.dumps(entry.config), entry.pace, origin)
        try:
            await self.launcher.start(entry.id, assignment, lambda how: self._on_end(meeting, epoch, how))
        except TrainerError as error:
            self._lose_trainer(meeting, str(error), failed=True)

    def _on_end(self, meeting: Meeting, epoch: int, how: str) -> None:
        if meeting.entry.epoch != epoch:
            return  # another trainer has taken over
        ended_well = how.endswith("exit code 0")
        reason = "the server was stopped" if ended_well and self._is_closing else how
        self._lose_trainer(meeting, reason, failed="exit code" in how and not ended_well)

    def _lose_trainer(self, meeting: Meeting, reason: str, failed: bool) -> None:
        meeting.receive(
            Arrival(meeting.entry.epoch, message={"kind": "ended", "reason": reason, "failed": failed})
        )
        self._arrived.set()

    def admit(self, run: str, secret: str) -> Meeting:
        """Return the run that `secret` is the trainer's key to. Raises UnknownThing or StaleEpoch."""
        meeting = self.meeting(run)
        if not secrets.compare_digest(digest(secret), meeting.entry.secret):
            raise StaleEpoch(f"the secret is not that of run {run}'s present trainer")
        return meeting

    async def greet(self, meeting: Meeting, hello: Message) -> Port:
        """Take a trainer in by its hello message. Raises ProtocolError, or StaleEpoch for a replaced one."""
        if required(hello, "kind", str) != "hello":
            raise ProtocolError(f"expected 'hello' first, received {hello['kind']!r}")
        if required(hello, "epoch", int) != meeting.entry.epoch:
            raise StaleEpoch(f"epoch {hello['epoch']} was replaced by epoch {meeting.entry.epoch}")
        if meeting.port is not None:
            meeting.port.close("its trainer connected anew")
        port = meeting.port = Port(meeting.entry.epoch)
        if not meeting.entry.columns:
            await self._learn_columns(meeting, hello)
        port.say({"kind": "welcome", "step": meeting.entry.last_step})
        return port

    async def _learn_columns(self, meeting: Meeting, hello: Message) -> None:
        entry = meeting.entry
        columns = columns_from_json(hello.get("columns"))
        data = required(hello, "data", dict)
        changes = {"columns": json.dumps([column.as_json() for column in columns]), "data": json.dumps(data)}
        await self._write(self.log.append, [Batch(entry.id, entry.epoch, changes=changes)])
        entry.columns, entry.data = columns, data
        meeting.grad_states = grad_states_between(entry)
        meeting.tell_hello()

    def receive(self, meeting: Meeting, port: Port, data: bytes | str) -> None:
        """Take a trainer's message. Raises ProtocolError or StaleEpoch."""
        if port.epoch != meeting.entry.epoch:
            raise StaleEpoch(f"epoch {port.epoch} was replaced by epoch {meeting.entry.epoch}")
        if isinstance(data, bytes):
            frame = decode(data, record_bytes(meeting.entry.columns))
            if frame.epoch != port.epoch:
                raise StaleEpoch(f"expected frames of epoch {port.epoch}, received one of {frame.epoch}")
            meeting.receive(Arrival(port.epoch, frame, data))
        else:
            meeting.receive(Arrival(port.epoch, message=_message(data)))
        self._arrived.set()

    def part(self, meeting: Meeting, port: Port) -> None:
        """Note that a trainer's connection is gone; it may come back."""
        port.close(f"the connection to run {meeting.id}'s trainer was lost")
        if meeting.port is port:
            meeting.port = None

    # -- committing, then publishing

    async def _commit_forever(self) -> None:
        while True:
            await self._arrived.wait()
            await self._commit()

    async def _commit(self) -> None:
        self._arrived.clear()
        arrivals = {m: a for m in [*self._meetings.values()] if (a := m.take_inbox())}
        batches = [_batch(meeting, its) for meeting, its in arrivals.items()]
        results = await self._append(batches) if batches else []
        for (meeting, its), result in zip(arrivals.items(), results, strict=True):
            if result.refused:
                continue
            self._publish(meeting, its, result)
            await self._announce(meeting)

    async def _append(self, batches: list[Batch]) -> list[Appended]:
        while True:
            try:
                return list(await self._write(self.log.append, batches))
            except (sqlite3.Error, LogError) as error:
                # Nothing is lost: the trainers keep what is not acknowledged, and wait when they can keep no more.
                _log.error("the run log cannot be written, trying again: %s", error)
                for meeting in self._meetings.values():
                    meeting.tell_error(
                        "log", f"The run log cannot be written: {error}. Training waits for it."
                    )
                await asyncio.sleep(RETRY_SECS)

    def _publish(self, meeting: Meeting, arrivals: list[Arrival], result: Appended) -> None:
        stored = iter(result.frames)
        fresh = next(stored, None)
        for arrival in arrivals:
            if arrival.epoch != meeting.entry.epoch:
                continue
            if arrival.message is not None:
                self._heed(meeting, arrival.message)
            elif arrival.frame is not None and arrival.frame.kind == PHASE:
                meeting.publish_picture(arrival.frame, arrival.encoded)
            elif arrival.frame is not None and fresh is not None and arrival.frame.last == fresh.last:
                whole = fresh is arrival.frame
                meeting.publish(fresh, arrival.encoded if whole else encode(fresh))
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
                entry = meeting.entry
                if entry.state not in FINAL:
                    entry.state = after_loss_of_trainer(entry.state, message["failed"])
                    entry.reason = message["reason"]
                if meeting.port is not None:
                    meeting.port.close(f"run {meeting.id}'s trainer ended: {message['reason']}")
                    meeting.port = None
                meeting.tell_state()

    async def _announce(self, meeting: Meeting) -> None:
        async with meeting.changed:
            meeting.changed.notify_all()

    # -- commands

    async def command(self, run: str, command: Command) -> Message:
        """Carry out a command and return the answer of the contract.

        Raises:
            UnknownThing: no such run.
            Forbidden: the run's state is against it.
            TrainerError: the trainer ended, or did not answer in time.
        """
        meeting = self.meeting(run)
        verdict = judge(meeting.entry.state, command.kind)
        if verdict is Verdict.RESUME:
            self._check_limit()
            await self._start_trainer(meeting)
        if verdict in (Verdict.RESUME, Verdict.WAIT):
            await self._wait_for_trainer(meeting)
            verdict = judge(meeting.entry.state, command.kind)
        if verdict is not Verdict.SEND:
            raise Forbidden(f"{command.kind!r} is not possible while the run is '{meeting.entry.state}'")
        if meeting.port is None:
            raise TrainerError(f"run {run}'s trainer is not connected at the moment: try again")
        plain = command.model_dump(mode="json", exclude_unset=True) | {"kind": command.kind}
        if command.kind == "step":
            plain["count"] = command.count
        answer = await asyncio.wait_for(meeting.port.command(plain), ANSWER_SECS)
        if answer["kind"] == "refusal":
            raise Forbidden(f"{command.kind!r} is not possible while the run is '{answer['state']}'")
        return {key: answer[key] for key in ("applied_at_step", "state", "phase", "step")}

    async def _wait_for_trainer(self, meeting: Meeting) -> None:
        def is_ready() -> bool:
            return meeting.entry.state is not State.STARTING or meeting.is_deleted

        async with meeting.changed:
            try:
                await asyncio.wait_for(meeting.changed.wait_for(is_ready), START_SECS)
            except TimeoutError:
                raise TrainerError(
                    f"run {meeting.id}'s trainer did not start in {START_SECS:.0f} s"
                ) from None


def _message(text: str) -> Message:
    try:
        message = json.loads(text)
    except ValueError as error:
        raise ProtocolError(f"expected JSON, received {text!r:.100}: {error}") from error
    if not isinstance(message, dict):
        raise ProtocolError(f"expected a JSON object, received {text!r:.100}")
    required(message, "kind", str)
    return message


def _batch(meeting: Meeting, arrivals: list[Arrival]) -> Batch:
    entry = meeting.entry
    batch = Batch(entry.id, entry.epoch)
    for arrival in arrivals:
        if arrival.epoch != entry.epoch:
            continue
        if arrival.frame is not None:
            if arrival.frame.kind != PHASE:
                batch.frames.append(arrival.frame)
        elif arrival.message is not None:
            _note(batch, entry, arrival.message)
    return batch


def _note(batch: Batch, entry: Entry, message: Message) -> None:
    match message["kind"]:
        case "state":
            if message["lr"] != entry.lr or message["pace"] != entry.pace:
                detail = {"lr": message["lr"], "pace": message["pace"]}
                batch.events.append(Event(message["step"], "tune", detail))
            state, reason = message["state"], None
            batch.changes |= {"state": state, "reason": reason, "lr": message["lr"], "pace": message["pace"]}
        case "failed":
            batch.changes |= {"state": State.FAILED, "reason": message["reason"]}
        case "ended":
            before = State(batch.changes.get("state", entry.state))
            if before not in FINAL:
                state = after_loss_of_trainer(before, message["failed"])
                batch.changes |= {"state": state, "reason": message["reason"]}
