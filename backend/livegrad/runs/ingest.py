"""Receives trainers' messages: checks them, has them logged, and then shows them to viewers.

Knows nothing of who starts trainers, or of sockets.
"""

import logging
from collections.abc import Callable

from livegrad.errors import LogError, ProtocolError, StaleEpoch
from livegrad.lifecycle import events, states
from livegrad.lifecycle.events import Event
from livegrad.lifecycle.states import State
from livegrad.protocol import PHASE, decode, encode, record_bytes
from livegrad.runs.committer import Committer
from livegrad.runs.run import LiveRun
from livegrad.runs.trainer_messages import (
    Answer,
    Failure,
    Hello,
    Message,
    Pong,
    Refusal,
    Status,
    message,
)
from livegrad.runs.trainer_session import Arrival, TrainerSession
from livegrad.store.writes import Appended, Broken, Item, Note

_log = logging.getLogger("livegrad.ingest")


class Ingest:
    """Takes a trainer's messages from its connection to the log.

    `tell(run, event)` reports an event of a run.
    """

    def __init__(self, committer: Committer, tell: Callable[[LiveRun, Event], None]) -> None:
        self._committer, self._tell = committer, tell

    def receive(self, run: LiveRun, session: TrainerSession, data: bytes | str) -> None:
        """Take a trainer's message. Raises ProtocolError or StaleEpoch."""
        session.unanswered_pings = 0
        if session.is_closed:
            raise StaleEpoch(session.reason)
        arrival = (
            _frame(run, session, data) if isinstance(data, bytes) else _message(run, session, data)
        )
        if arrival is None:
            return
        session.hold(len(arrival.encoded))

        def then(arrivals: list[Arrival], result: Appended | Broken) -> None:
            self._appended(run, session.epoch, arrivals, result)
            session.release(sum(len(each.encoded) for each in arrivals))

        self._committer.append(run.id, session.epoch, _item(run, arrival), arrival, then)
        if isinstance(arrival.message, Answer | Refusal):
            run.commands.heard(arrival.message)
            self.note_trouble(run)

    def note_trouble(self, run: LiveRun) -> None:
        """Answer the commands that need no log while it cannot be written, and fail the others."""
        if (trouble := self._committer.trouble) is not None:
            run.commands.while_unlogged(unlogged(trouble))

    def _appended(
        self, run: LiveRun, epoch: int, arrivals: list[Arrival], result: Appended | Broken
    ) -> None:
        if isinstance(result, Broken):
            _log.error(
                "messages of run %s's trainer cannot be stored", run.id, exc_info=result.error
            )
            self._tell(
                run, events.Broke(epoch, f"its trainer's messages cannot be stored: {result.error}")
            )
            return
        if result.is_stale:
            return
        for arrival, taken in zip(arrivals, result.taken, strict=True):
            self._publish(run, epoch, arrival, taken)
        self._tell(run, events.Logged(epoch, result.last_step, result.seq))
        if run.session is not None and run.session.epoch == epoch:
            run.session.acknowledge(result.last_step, result.seq)
        if result.gap is not None:
            self._tell(run, events.Broke(epoch, result.gap))

    def _publish(self, run: LiveRun, epoch: int, arrival: Arrival, taken: Item | None) -> None:
        said, frame, now = arrival.message, arrival.frame, run.life
        seq = now.seq if taken is None or taken.number is None else taken.number
        if isinstance(said, Answer | Refusal):
            run.commands.answer(said)
        elif frame is not None and frame.kind == PHASE:
            run.publish_picture(frame, arrival.encoded)
        elif isinstance(said, Status) and taken is not None:
            run.note_status(said)
            status = states.Status(said.state, None, said.goal, said.lr, said.pace)
            self._tell(run, events.Logged(epoch, now.last_step, seq, status))
        elif isinstance(said, Failure) and taken is not None:
            failed = states.Status(State.FAILED, said.reason, now.goal, now.lr, now.pace)
            self._tell(run, events.Logged(epoch, now.last_step, seq, failed))
        elif taken is not None and taken.frame is not None:
            is_whole = taken.frame is frame
            run.publish(taken.frame, arrival.encoded if is_whole else encode(taken.frame))
            self._tell(run, events.Logged(epoch, taken.frame.last, seq))


def unlogged(trouble: str) -> LogError:
    """Return the error for a caller whose request needs the log while it cannot be written."""
    return LogError(
        f"the run log cannot be written: {trouble}. Training waits, and goes on by itself"
    )


def _frame(run: LiveRun, session: TrainerSession, data: bytes) -> Arrival:
    frame = decode(data, record_bytes(run.columns))
    if frame.epoch != session.epoch:
        raise StaleEpoch(f"expected frames of epoch {session.epoch}, received one of {frame.epoch}")
    return Arrival(session.number(may_come_again=frame.kind == PHASE), frame, data)


def _message(run: LiveRun, session: TrainerSession, text: str) -> Arrival | None:
    said = message(text)
    if isinstance(said, Pong):
        return None
    if isinstance(said, Hello):
        raise ProtocolError("expected 'hello' once, received it again")
    expected = len(run.grad_states)
    if isinstance(said, Status) and len(said.grad_states) != expected:
        raise ProtocolError(f"expected {expected} grad_states, received {len(said.grad_states)}")
    return Arrival(session.number(may_come_again=said.kind == "standing"), message=said)


def _item(run: LiveRun, arrival: Arrival) -> Item:
    frame = arrival.frame if arrival.frame is not None and arrival.frame.kind != PHASE else None
    return Item(arrival.number, frame, _note(arrival.message))


def _note(said: Message | None) -> Note | None:
    match said:
        case Status():
            return Note(said.step, said.state, None, said.goal, said.lr, said.pace)
        case Failure(reason=reason):
            return Note(0, State.FAILED, reason)
    return None
