"""Who trains which run: started, let in, lost, started again. Knows nothing of viewers or HTTP.

A trainer that was killed is started again from its run's last record, and retraces, bit for bit, what the old one would
have done. One that failed by an error is not: it would fail again.
"""

import asyncio
import hashlib
import json
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Coroutine, Iterable
from typing import Any

from livegrad.assignment import Address, Assignment, Origin
from livegrad.errors import ProtocolError, StaleEpoch, TrainerError, UnknownThing
from livegrad.lifecycle import FINAL, State, after_loss_of_trainer
from livegrad.protocol import check_layout, columns_from_json
from livegrad.runs.committer import Committer
from livegrad.runs.launcher import End, Launcher
from livegrad.runs.run import Arrival, Meeting, Message, grad_states_between
from livegrad.runs.trainer_session import Port
from livegrad.store.log import Batch, RunLog

RECONNECT_SECS = 1.5  # for a trainer that outlived its server, or lost its connection
PING_SECS = 2.0
SILENCE_SECS = 10.0  # a trainer that says nothing for so long is replaced
RESTARTS = 5  # so many without a step between them: something is wrong with the run


def digest(secret: str) -> str:
    """Return what the log keeps of a trainer's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Trainers:
    """All trainers. `url` is this server's websocket address, as a trainer on this machine reaches it."""

    def __init__(self, log: RunLog, launcher: Launcher, committer: Committer, url: str) -> None:
        self.launcher = launcher
        self._log = log
        self._committer = committer
        self._url = url
        self._is_closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._restarts: defaultdict[str, deque[int]] = defaultdict(
            lambda: deque(maxlen=RESTARTS)
        )  # by run: steps

    # -- from here to the trainer

    async def start(self, meeting: Meeting, plays: bool = False) -> None:
        """Start a trainer where the run's history ends; `plays`: it trains at once, without waiting for a command."""
        entry = meeting.entry
        secret = secrets.token_urlsafe(32)
        entry.state, entry.reason = State.STARTING, None
        entry.secret = digest(secret)
        entry.epoch += 1  # no other trainer of this run is let in while the log counts it
        try:
            entry.epoch = epoch = await self._committer.write(self._log.begin_epoch, entry.id, entry.secret)
        except UnknownThing:
            return  # it was deleted meanwhile
        meeting.tell_state()
        try:
            origin = await self._origin(meeting)
            address = Address(f"{self._url}/api/runs/{entry.id}/trainer", secret, epoch)
            assignment = Assignment(address, json.dumps(entry.config), entry.pace, origin, plays, entry.goal)
            await self.launcher.start(entry.id, assignment, lambda how: self._on_end(meeting, epoch, how))
        except TrainerError as error:
            self.lose(meeting, str(error), failed=True)
        if meeting.is_deleted:
            await self.launcher.end(entry.id, patience_secs=0)

    async def _origin(self, meeting: Meeting) -> Origin | None:
        entry = meeting.entry
        if meeting.newest is not None:
            return Origin(entry.last_step, meeting.newest.payload, entry.columns, entry.lr, is_own=True)
        if entry.parent is None or entry.parent_step is None:
            return None
        frame = await asyncio.to_thread(self._log.frame, entry.parent, entry.parent_step)
        columns = await asyncio.to_thread(self._log.columns, entry.parent)
        if frame is None:
            raise TrainerError(f"run {entry.parent}, which this one continues, is no longer there")
        return Origin(entry.parent_step, frame.payload, columns, entry.lr, is_own=False)

    async def close(self, meetings: list[Meeting]) -> None:
        """Stop every trainer."""
        self._is_closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for meeting in meetings:
            if meeting.port is not None:
                meeting.port.say({"kind": "stop"})
        await self.launcher.end_all()

    # -- from the trainer to here

    def admit(self, meeting: Meeting, secret: str) -> None:
        """Check that `secret` is the key of the run's present trainer. Raises StaleEpoch."""
        if not secrets.compare_digest(digest(secret), meeting.entry.secret):
            raise StaleEpoch(f"the secret is not that of run {meeting.id}'s present trainer")

    async def greet(self, meeting: Meeting, hello: Message) -> Port:
        """Take a trainer in by its hello message. Raises ProtocolError, or StaleEpoch for a replaced one."""
        if hello["kind"] != "hello":
            raise ProtocolError(f"expected 'hello' first, received {hello['kind']!r}")
        if hello["epoch"] != meeting.entry.epoch:
            raise StaleEpoch(f"epoch {hello['epoch']} was replaced by epoch {meeting.entry.epoch}")
        if not meeting.entry.columns:
            await self._learn_columns(meeting, hello)
        if meeting.port is not None:
            meeting.port.close("its trainer connected anew")
        port = meeting.port = Port(hello["epoch"])
        port.say({"kind": "welcome", "step": meeting.entry.last_step})
        self._spawn(self._listen(meeting, port))
        return port

    async def _learn_columns(self, meeting: Meeting, hello: Message) -> None:
        entry = meeting.entry
        columns = columns_from_json(hello["columns"])
        check_layout(columns)
        data = hello["data"]
        changes = {"columns": json.dumps([column.as_json() for column in columns]), "data": json.dumps(data)}
        await self._committer.write(self._log.append, [Batch(entry.id, entry.epoch, changes=changes)])
        entry.columns, entry.data = columns, data
        meeting.grad_states = grad_states_between(entry)
        meeting.tell_hello()

    def part(self, meeting: Meeting, port: Port) -> None:
        """Note that a trainer's connection is gone, after everything that came over it; it may come back."""
        if port.epoch != meeting.entry.epoch or meeting.is_deleted:
            self.on_parted(meeting, port)
            return
        # In turn: the answers that came before are still to be committed, and then given.
        meeting.receive(Arrival(port.epoch, message={"kind": "parted", "port": port}))
        self._committer.notice()

    def on_parted(self, meeting: Meeting, port: Port) -> None:
        """Take over the loss of a connection, now that everything before it is committed."""
        port.close(f"the connection to run {meeting.id}'s trainer was lost")
        if meeting.port is port:
            meeting.port = None
            if self.launcher.pid(meeting.id) is None and meeting.is_live:
                # Not this server's child: nobody else will say that it has ended.
                self._spawn(self._expect(meeting, meeting.entry.state, "its connection was lost"))

    def _on_end(self, meeting: Meeting, epoch: int, how: End) -> None:
        if meeting.entry.epoch != epoch:
            return  # another trainer has taken over
        reason = "the server was stopped" if how.code == 0 and self._is_closing else str(how)
        self.lose(meeting, reason, failed=how.is_failure)

    def lose(self, meeting: Meeting, reason: str, failed: bool) -> None:
        """Note the end of the run's trainer, after everything that it sent. One that was killed is started again."""
        again = not failed and meeting.is_live and self._may_restart(meeting)
        message = {"kind": "ended", "reason": reason, "failed": failed, "again": again}
        meeting.receive(Arrival(meeting.entry.epoch, message=message))
        self._committer.notice()

    def on_ended(self, meeting: Meeting, message: Message) -> None:
        """Take over the end of a trainer, now that it is committed; start one that was killed again."""
        entry = meeting.entry
        before = entry.state
        if entry.state not in FINAL:
            entry.state = after_loss_of_trainer(entry.state, message["failed"])
            entry.reason = message["reason"]
        if meeting.port is not None:
            meeting.port.close(f"run {meeting.id}'s trainer ended: {message['reason']}")
            meeting.port = None
        if message["again"]:
            meeting.tell_error("restarted", f"{message['reason']}; it goes on from step {meeting.step}")
            self._spawn(self.start(meeting, plays=before is State.RUNNING))
        else:
            meeting.tell_state()

    def on_gap(self, meeting: Meeting, reason: str) -> None:
        """End a trainer that left steps out: its run cannot go on."""
        self.lose(meeting, reason, failed=True)
        if meeting.port is not None:
            meeting.port.close(reason)

    # -- again

    def expect(self, meetings: Iterable[Meeting]) -> None:
        """Wait a moment for trainers that outlived their server; start those that do not come back."""
        for meeting in meetings:
            before, meeting.entry.state = meeting.entry.state, State.STARTING
            self._spawn(self._expect(meeting, before, "the server ended while it was under way"))

    async def _expect(self, meeting: Meeting, before: State, reason: str) -> None:
        epoch = meeting.entry.epoch
        await asyncio.sleep(RECONNECT_SECS)
        if meeting.port is not None or meeting.entry.epoch != epoch or meeting.is_deleted:
            return
        meeting.entry.state = before
        self.lose(meeting, reason, failed=False)

    async def _listen(self, meeting: Meeting, port: Port) -> None:
        while not port.is_closed:
            await asyncio.sleep(PING_SECS)
            if time.monotonic() - port.heard_at > SILENCE_SECS and port is meeting.port:
                await self._replace(meeting, port)
                return
            port.say({"kind": "ping"})

    async def _replace(self, meeting: Meeting, port: Port) -> None:
        # When it wakes up, its epoch is an old one: it is refused, and ends.
        before = meeting.entry.state
        meeting.port = None
        meeting.tell_error("restarted", f"its trainer was silent for {SILENCE_SECS:.0f} s and is replaced")
        await self.start(meeting, plays=before is State.RUNNING)
        port.close(f"run {meeting.id}'s trainer was silent and is replaced")

    def _may_restart(self, meeting: Meeting) -> bool:
        if self._is_closing or meeting.is_deleted:
            return False
        steps = self._restarts[meeting.id]
        if len(steps) == RESTARTS and set(steps) == {meeting.step}:
            return False
        steps.append(meeting.step)
        return True

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
