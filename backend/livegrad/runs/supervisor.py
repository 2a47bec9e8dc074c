"""Carries out the effects of `lifecycle.machine.advance` for each run, and reports events to it.

Every run's state changes in `tell` and nowhere else. Knows nothing of HTTP or sockets.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, assert_never

from livegrad.assignment import Address, Assignment, Origin
from livegrad.errors import (
    Forbidden,
    LivegradError,
    LogError,
    NotStarted,
    ProtocolError,
    StaleEpoch,
    TrainerError,
    UnknownThing,
)
from livegrad.lifecycle import effects, events, states
from livegrad.lifecycle.events import Event
from livegrad.lifecycle.states import State, Trainer
from livegrad.protocol import check_layout, columns_from_json
from livegrad.runs.committer import Committer
from livegrad.runs.ingest import Ingest
from livegrad.runs.launcher import End, Launcher
from livegrad.runs.run import LiveRun
from livegrad.runs.trainer_messages import Hello, message
from livegrad.runs.trainer_session import TrainerSession
from livegrad.store import writes
from livegrad.store.log import RunLog
from livegrad.store.writes import Broken, Result

PING_SECS = 2.0
STOP_SECS = 3.0  # for trainers to end by themselves; after that they are killed
_log = logging.getLogger("livegrad.supervisor")


def hash_of(secret: str) -> str:
    """Return the hash of a trainer's secret that the log stores."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Supervisor:
    """All trainers. `url` is this server's websocket address as seen by a trainer on this machine.

    `spawn(coroutine)` runs a task that the server owns; `forget(run)` removes a deleted run.
    """

    def __init__(
        self,
        log: RunLog,
        launcher: Launcher,
        committer: Committer,
        url: str,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        forget: Callable[[LiveRun], None],
    ) -> None:
        self._log, self._launcher, self._committer, self._url = log, launcher, committer, url
        self._spawn, self._forget = spawn, forget
        self.ingest = Ingest(committer, self.tell)
        self._events: deque[tuple[LiveRun, Event]] = deque()
        self._is_telling = False
        self._sessions: dict[int, TrainerSession] = {}
        # by run: the secret of the trainer that is to be launched
        self._secrets: dict[str, str] = {}
        self._closing = asyncio.Event()
        self._changed = asyncio.Event()  # set whenever a run has changed

    # -- events and effects

    def tell(self, run: LiveRun, event: Event) -> None:
        """Apply `event` to `run` and carry out its effects.

        Events that the effects cause are applied after it.
        """
        self._events.append((run, event))
        if self._is_telling:
            return
        self._is_telling = True
        try:
            while self._events:
                run, event = self._events.popleft()
                _, effects = run.advance(event)
                for effect in effects:
                    self._carry_out(run, effect)
        finally:
            self._is_telling = False
            self._changed.set()

    # A table with one case per effect.
    def _carry_out(self, run: LiveRun, effect: effects.Effect) -> None:  # noqa: C901
        match effect:
            case effects.LogBegin(delay_secs):
                self._begin(run, delay_secs)
            case effects.Launch():
                self._spawn(self._launch(run, effect))
            case effects.Welcome(session):
                self._welcome(run, self._sessions[session])
            case effects.CloseSession(session, reason):
                self._close(run, session, reason)
            case effects.StopTrainer(session):
                self._sessions[session].say({"kind": "stop"})
            case effects.EndProcess():
                self._spawn(self._launcher.end(run.id, patience_secs=0))
            case effects.SetTimer(timer, secs):
                asyncio.get_running_loop().call_later(secs, self.tell, run, events.TimedOut(timer))
            case effects.Drain(epoch):
                self._committer.drain(run.id, lambda: self.tell(run, events.Drained(epoch)))
            case effects.LogEnd(epoch, state, reason):
                end = writes.End(run.id, epoch, state, reason)
                self._committer.write(run.id, end, lambda result: self._ended(run, effect, result))
            case effects.TellState():
                run.tell_state()
            case effects.TellRestart(reason):
                run.forget_phase()
                run.tell_error("restarted", f"{reason}; it goes on from step {run.step}")
            case effects.FailCommands(reason, only_sent):
                run.commands.fail(_why_unanswered(run, reason), only_sent)
            case effects.Forget():
                self._forget(run)
            case _:
                assert_never(effect)

    # -- starting a trainer

    def _begin(self, run: LiveRun, delay_secs: float) -> None:
        secret = secrets.token_urlsafe(32)
        begin = writes.Begin(run.id, hash_of(secret))

        def write() -> None:
            self._committer.write(run.id, begin, lambda result: self._begun(run, secret, result))

        if delay_secs == 0:
            write()
        else:
            self._spawn(self._after(delay_secs, write))

    async def _after(self, secs: float, act: Callable[[], None]) -> None:
        # The wait ends early when the server stops.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), secs)
        act()

    def _begun(self, run: LiveRun, secret: str, result: Result) -> None:
        if not isinstance(result, writes.Standing):
            self._give_up(run, result)
            return
        run.learn_secret(hash_of(secret))
        self._secrets[run.id] = secret
        standing = (
            result.epoch,
            result.state,
            result.last_step,
            result.goal,
            result.lr,
            result.pace,
        )
        self.tell(run, events.Begun(*standing))

    def _give_up(self, run: LiveRun, result: Result) -> None:
        # An unexpected error in one run's row is shown on that run's page, and affects nothing
        # else.
        if not isinstance(result, Broken) or isinstance(result.error, UnknownThing):
            return
        _log.error("run %s cannot be written", run.id, exc_info=result.error)
        reason = f"its row in the run log cannot be written: {result.error}"
        self.tell(run, events.Ended(run.life.epoch, State.INTERRUPTED, reason))

    def _ended(self, run: LiveRun, effect: effects.LogEnd, result: Result) -> None:
        if not isinstance(result, writes.Standing):
            self._give_up(run, result)
            return
        run.forget_phase()
        self.tell(run, events.Ended(effect.epoch, result.state, result.reason))

    async def _launch(self, run: LiveRun, effect: effects.Launch) -> None:
        epoch = effect.epoch

        def on_end(how: End) -> None:
            self.tell(run, events.Lost(epoch, states.Loss(str(how), how.is_failure)))

        try:
            assignment = await self._assignment(run, effect)
            await self._launcher.start(run.id, assignment, on_end)
        except (NotStarted, LogError) as error:
            self.tell(run, events.Lost(epoch, states.Loss(str(error))))
        except TrainerError as error:
            self.tell(run, events.Lost(epoch, states.Loss(str(error), is_failure=True)))
        else:
            self.tell(run, events.Launched(epoch))

    async def _assignment(self, run: LiveRun, effect: effects.Launch) -> Assignment:
        address = Address(
            f"{self._url}/api/runs/{run.id}/trainer", self._secrets.pop(run.id), effect.epoch
        )
        entry, origin = run.entry, await self._origin(run)
        return Assignment(
            address, json.dumps(entry.config), entry.pace, origin, effect.plays, effect.goal
        )

    async def _origin(self, run: LiveRun) -> Origin | None:
        # Read from the log: a trainer continues from what is logged, whatever this process knows.
        entry = run.entry
        if entry.last_step >= entry.first_step:
            frame = await asyncio.to_thread(self._log.frame, entry.id, entry.last_step)
            if frame is None:
                raise TrainerError(f"step {entry.last_step}, its last, is no longer in the run log")
            return Origin(entry.last_step, frame.payload, entry.columns, entry.lr, is_own=True)
        if entry.parent is None or entry.parent_step is None:
            return None
        frame = await asyncio.to_thread(self._log.frame, entry.parent, entry.parent_step)
        columns = await asyncio.to_thread(self._log.columns, entry.parent)
        if frame is None:
            raise TrainerError(f"run {entry.parent}, which this run continues, no longer exists")
        return Origin(entry.parent_step, frame.payload, columns, entry.lr, is_own=False)

    # -- a trainer connects and disconnects

    def admit(self, run: LiveRun, secret: str) -> None:
        """Check that `secret` belongs to the run's current trainer. Raises StaleEpoch."""
        if not secrets.compare_digest(hash_of(secret), run.secret):
            raise StaleEpoch(f"the secret is not that of run {run.id}'s current trainer")

    async def greet(self, run: LiveRun, text: str) -> TrainerSession:
        """Accept a trainer by its first message.

        Raises ProtocolError, or StaleEpoch for a replaced trainer.
        """
        hello = message(text)
        if not isinstance(hello, Hello):
            raise ProtocolError(f"expected 'hello' first, received {hello.kind!r}")
        if hello.epoch != run.life.epoch:
            raise StaleEpoch(f"epoch {hello.epoch} was replaced by epoch {run.life.epoch}")
        await self._learn_columns(run, hello)
        session = TrainerSession(hello.epoch)
        self._sessions[session.id] = session
        self.tell(run, events.Connected(hello.epoch, session.id))
        self._spawn(self._ping(run, session))
        return session

    async def _learn_columns(self, run: LiveRun, hello: Hello) -> None:
        columns = columns_from_json(hello.columns)
        check_layout(columns)
        if run.columns:
            if columns != run.columns:
                raise ProtocolError(
                    "expected the columns of the run's records, received other columns"
                )
            return
        data = hello.data.model_dump(mode="json")
        describe = writes.Describe(run.id, hello.epoch, columns, json.dumps(data))
        logged = asyncio.get_running_loop().create_future()
        self._committer.write(run.id, describe, logged.set_result)
        result = await asyncio.shield(logged)
        if isinstance(result, writes.Standing) and result.epoch == hello.epoch and not run.columns:
            run.learn_columns(columns, data)

    def _welcome(self, run: LiveRun, session: TrainerSession) -> None:
        run.session = session
        session.welcome(run.life.last_step, run.life.seq)
        run.commands.send_again(session.epoch)
        self.send_commands(run)

    def send_commands(self, run: LiveRun) -> None:
        """Send the waiting commands to the run's trainer, if it is connected."""
        if (session := run.session) is not None:
            for waiting in run.commands.unsent(session.epoch):
                session.say({"kind": "command", "id": waiting.id, "command": waiting.command})

    def part(self, run: LiveRun, session: TrainerSession) -> None:
        """Note that a trainer's connection was lost; the trainer may come back."""
        self._close(run, session.id, f"the connection to run {run.id}'s trainer was lost")
        self._sessions.pop(session.id, None)
        self.tell(run, events.Parted(session.id, is_ours=self._launcher.pid(run.id) is not None))

    def broke(self, run: LiveRun, session: TrainerSession, error: ProtocolError) -> None:
        """Note that a trainer broke the protocol, so its run cannot go on with it."""
        self.tell(run, events.Broke(session.epoch, f"its trainer broke the protocol: {error}"))

    def _close(self, run: LiveRun, session_id: int, reason: str) -> None:
        if (session := self._sessions.get(session_id)) is not None:
            session.close(reason)
            if run.session is session:
                run.session = None

    async def _ping(self, run: LiveRun, session: TrainerSession) -> None:
        while not session.is_closed:
            await asyncio.sleep(PING_SECS)
            if not session.ping():
                self.tell(run, events.Silent(session.id))

    # -- shutdown

    async def close(self, runs: Iterable[LiveRun]) -> None:
        """Stop every trainer: ask it, wait briefly, kill it."""
        self._closing.set()
        ours = list(runs)
        for run in ours:
            self.tell(run, events.Closing())
        if not await self._wait_until_gone(ours):
            await self._launcher.end_all()
            await self._wait_until_gone(ours)

    async def _wait_until_gone(self, runs: list[LiveRun]) -> bool:
        try:
            async with asyncio.timeout(STOP_SECS):
                while any(run.life.trainer is not Trainer.NONE for run in runs):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


def _why_unanswered(run: LiveRun, reason: str) -> LivegradError:
    if run.life.is_deleted:
        return UnknownThing(f"run {run.id} was deleted")
    if run.life.state is State.FINISHED:
        return Forbidden(f"run {run.id} is finished")
    return TrainerError(f"run {run.id}'s trainer ended: {reason}")
