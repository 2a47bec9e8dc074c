"""All runs: made, continued, commanded, deleted. Where trainers, the log and viewers meet. No HTTP, no torch."""

import asyncio
import secrets
import time
from collections.abc import Iterable

from livegrad.config import Command, RunConfig
from livegrad.errors import Forbidden, LogError, ProtocolError, StaleEpoch, TrainerError, UnknownThing
from livegrad.lifecycle import State, Verdict, judge
from livegrad.protocol import decode, record_bytes
from livegrad.runs.committer import Committer
from livegrad.runs.launcher import Launcher
from livegrad.runs.run import Arrival, Meeting, Message
from livegrad.runs.supervisor import Trainers
from livegrad.runs.trainer_messages import message
from livegrad.runs.trainer_session import Port
from livegrad.store.log import Entry, RunLog
from livegrad.store.retention import Room

START_SECS = 120.0  # torch on a cold disk
ANSWER_SECS = 600.0  # 10,000 steps of the slowest network


class Hub:
    """All runs. Its methods belong to the event loop's thread; only the log is touched from others.

    `url` is the websocket address of this server, as a trainer on this machine reaches it; `keep` is the run log's
    budget in bytes.
    """

    def __init__(self, log: RunLog, launcher: Launcher, url: str, max_runs: int, keep: int) -> None:
        self.log = log
        self.launcher = launcher
        self._max_runs = max_runs
        self._meetings: dict[str, Meeting] = {}  # newest first
        self._room = Room(log, keep)
        self._committer = Committer(
            log,
            self._room,
            self.meetings,
            lambda meeting, message: self.trainers.on_ended(meeting, message),
            lambda meeting, reason: self.trainers.on_gap(meeting, reason),
            lambda meeting, port: self.trainers.on_parted(meeting, port),
        )
        self.trainers = Trainers(log, launcher, self._committer, url)
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the hub's own life

    async def open(self) -> None:
        """Take up every run of the log, make the default run if there is none, and begin to commit."""
        for entry in reversed(await asyncio.to_thread(self.log.runs)):
            newest = await asyncio.to_thread(self.log.frame, entry.id, entry.last_step)
            self._add(Meeting(entry, newest))
        self._committer.start()
        self._hold(asyncio.create_task(self.launcher.warm_up()))
        live = [meeting for meeting in self.meetings() if meeting.is_live]
        self.trainers.expect(live[: self._max_runs])
        for meeting in live[self._max_runs :]:
            meeting.entry.state = State.INTERRUPTED
            meeting.entry.reason = (
                "the server ended while it was under way, and starts fewer runs at once now"
            )
        if not self._meetings:
            self.create(RunConfig())

    async def close(self) -> None:
        """Stop every trainer, commit what they still had to say, and end."""
        await self.stop_trainers()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._committer.stop()
        for meeting in self.meetings():
            for feed in list(meeting.feeds):
                meeting.leave(feed)
        self.log.close()

    async def stop_trainers(self) -> None:
        """Stop every trainer, while its connection is still there to be told by."""
        await self.trainers.close(list(self.meetings()))

    def _hold(self, task: asyncio.Task[None]) -> None:
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
            raise UnknownThing(f"there is no run {run!r:.100}")
        return found

    def create(self, config: RunConfig, parent: str | None = None, parent_step: int | None = None) -> Meeting:
        """Make a run, or one that continues `parent` after `parent_step`, and start its trainer in the background.

        Raises Forbidden beyond the limit of runs at once.
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
        meeting = Meeting(entry, None)
        self._add(meeting)
        self._hold(asyncio.create_task(self._begin(meeting)))
        return meeting

    def _check_limit(self) -> None:
        live = sum(meeting.is_live for meeting in self._meetings.values())
        if live >= self._max_runs:
            raise Forbidden(
                f"{live} runs are under way, the most that this server starts at once (--max-runs): "
                "let one finish, or delete one"
            )

    async def _begin(self, meeting: Meeting) -> None:
        await self._committer.write(self.log.create, meeting.entry)
        await self.trainers.start(meeting)

    async def delete(self, run: str) -> None:
        """Stop the run's trainer and remove its whole history. Raises UnknownThing; LogError, and it stays."""
        meeting = self.meeting(run)
        meeting.is_deleted = True
        del self._meetings[run]
        await self.launcher.end(run, patience_secs=0)  # what it has yet to say would be thrown away
        try:
            await self._committer.attempt(self.log.delete, run)
        except LogError:
            meeting.is_deleted = False
            self._add(meeting)
            raise
        self._room.give_back()
        self._committer.tidy()
        meeting.tell_error("deleted", f"run {run} was deleted")
        await asyncio.sleep(0)
        for feed in list(meeting.feeds):
            meeting.leave(feed)

    # -- what trainers send

    def receive(self, meeting: Meeting, port: Port, data: bytes | str) -> None:
        """Take a trainer's message. Raises ProtocolError or StaleEpoch."""
        port.heard_at = time.monotonic()
        if port.epoch != meeting.entry.epoch:
            raise StaleEpoch(f"epoch {port.epoch} was replaced by epoch {meeting.entry.epoch}")
        if isinstance(data, bytes):
            frame = decode(data, record_bytes(meeting.entry.columns))
            if frame.epoch != port.epoch:
                raise StaleEpoch(f"expected frames of epoch {port.epoch}, received one of {frame.epoch}")
            meeting.receive(Arrival(port.epoch, frame, data))
        else:
            report = self._report(meeting, data)
            if report["kind"] == "pong":
                return
            meeting.receive(Arrival(port.epoch, message=report))
        self._committer.notice()

    @staticmethod
    def _report(meeting: Meeting, text: str) -> Message:
        report = message(text)
        expected = len(meeting.grad_states)
        if report["kind"] == "state" and len(report["grad_states"]) != expected:
            raise ProtocolError(f"expected {expected} grad_states, received {len(report['grad_states'])}")
        return report

    # -- commands

    async def command(self, run: str, command: Command) -> Message:
        """Carry out a command and return the answer of the contract.

        Raises:
            UnknownThing: no such run.
            Forbidden: the run's state is against it.
            TrainerError: the trainer ended, or did not answer in time.
        """
        meeting = self.meeting(run)
        port = await self._ready(meeting, command)
        plain = command.model_dump(mode="json", exclude_unset=True) | {"kind": command.kind}
        if command.kind == "step":
            plain["count"] = command.count
        answer = await asyncio.wait_for(port.command(plain), ANSWER_SECS)
        if answer["kind"] == "refusal":
            raise Forbidden(f"{command.kind!r} is not possible while the run is '{answer['state']}'")
        return {key: answer[key] for key in ("applied_at_step", "state", "phase", "step")}

    async def _ready(self, meeting: Meeting, command: Command) -> Port:
        # The port of a trainer that may be sent the command; an interrupted run's is started for it.
        verdict = judge(meeting.entry.state, command.kind)
        if verdict is Verdict.RESUME:
            self._check_limit()
            await self.trainers.start(meeting)
        if verdict in (Verdict.RESUME, Verdict.WAIT):
            await self._wait_for_trainer(meeting)
            verdict = judge(meeting.entry.state, command.kind)
        if verdict is not Verdict.SEND:
            raise Forbidden(f"{command.kind!r} is not possible while the run is '{meeting.entry.state}'")
        if meeting.port is None:
            raise TrainerError(f"run {meeting.id}'s trainer is not connected at the moment: try again")
        return meeting.port

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
