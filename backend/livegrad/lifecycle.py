"""The life of a run: its states, what commands do in them, what each event leads to. PURE: no clocks, no I/O.

`advance(state, event)` returns the next state and the effects that the shells carry out. Nothing else changes a run's
state, epoch or last step.

The rules:
1.  A run is `starting` from its creation until its trainer has said how it stands, and again whenever a trainer is
    started.
2.  A command sent to a run that is starting waits for the trainer, and is judged there by the state that it finds.
3.  Commands act only on a live trainer. `interrupted` means that the trainer is gone while the record is whole:
    whatever asks for training starts it again from its last record.
4.  `finished` and `failed` are final. `failed` is for what the training code itself raised.
5.  Asking for what is already so (play while running, pause while paused) is not an error.
6.  A trainer's end is never silent: it is started again, or the run becomes `interrupted` or `failed`, with a reason.
7.  What became of a trainer is judged only after everything that it sent has been committed.
8.  The log comes first: state, epoch and last step change here when the log says that they have changed there.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

CommandKind = Literal["play", "pause", "step", "phase", "tune"]
PHASES = ("zero_grad", "forward", "loss", "backward", "step")

RESTARTS = 5  # so many without a step between them: restarting does not help
RESTART_DELAYS_SECS = (0.0, 0.5, 1.0, 2.0, 4.0)  # before the first, second, … of them
RECONNECT_SECS = 1.5  # for a trainer that outlived its server
SILENCE_SECS = 10.0  # for a trainer of this server that has lost its connection
START_SECS = 120.0  # from a process's start to its connection: torch on a cold disk
STOPPED = "the server was stopped"


class State(StrEnum):
    """Where a run stands."""

    STARTING = "starting"
    PAUSED = "paused"
    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Verdict(StrEnum):
    """What becomes of a command."""

    SEND = "send"
    WAIT = "wait"
    RESUME = "resume"
    REFUSE = "refuse"


_WAIT, _SEND, _RESUME, _NO = Verdict.WAIT, Verdict.SEND, Verdict.RESUME, Verdict.REFUSE

TABLE: dict[State, dict[CommandKind, Verdict]] = {
    State.STARTING: {"play": _WAIT, "pause": _WAIT, "step": _WAIT, "phase": _WAIT, "tune": _WAIT},
    State.PAUSED: {"play": _SEND, "pause": _SEND, "step": _SEND, "phase": _SEND, "tune": _SEND},
    State.RUNNING: {"play": _SEND, "pause": _SEND, "step": _NO, "phase": _NO, "tune": _SEND},
    State.FINISHED: {"play": _NO, "pause": _NO, "step": _NO, "phase": _NO, "tune": _NO},
    State.INTERRUPTED: {"play": _RESUME, "pause": _NO, "step": _RESUME, "phase": _RESUME, "tune": _RESUME},
    State.FAILED: {"play": _NO, "pause": _NO, "step": _NO, "phase": _NO, "tune": _NO},
}

LIVE = frozenset({State.STARTING, State.PAUSED, State.RUNNING})
FINAL = frozenset({State.FINISHED, State.FAILED})


def judge(state: State, command: CommandKind) -> Verdict:
    """Return what becomes of `command` in `state`."""
    return TABLE[state][command]


class Trainer(StrEnum):
    """What the server knows of the run's present trainer."""

    NONE = "none"
    BEGINNING = "beginning"  # its epoch is being logged
    LAUNCHING = "launching"  # its process is being started
    EXPECTED = "expected"  # it has to connect, or to connect again
    CONNECTED = "connected"
    ENDING = "ending"  # it has gone; what it sent, or its end, is being logged


_THERE = frozenset({Trainer.LAUNCHING, Trainer.EXPECTED, Trainer.CONNECTED})


@dataclass(frozen=True, slots=True)
class Loss:
    """How a trainer was lost. `is_failure`: its own code raised an error, which would come again."""

    reason: str
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything about a run that changes. The first fields are what the log holds."""

    state: State
    epoch: int
    last_step: int  # of the last record; one less than the first step before there is any
    reason: str | None = None
    goal: int | None = None  # the step at which a `step` command under way is done
    lr: float = 0.0
    pace: float | None = None
    seq: int = 0  # how many messages of this epoch's trainer are logged
    trainer: Trainer = Trainer.NONE
    is_ready: bool = False  # has the present trainer said how it stands?
    resumes: bool = False  # a trainer that is started trains at once, if the run was running
    session: int | None = None  # the trainer's connection
    loss: Loss | None = None  # how the trainer was lost, until everything that it sent is logged
    restarts: tuple[int, ...] = ()  # the steps at which trainers were started again
    timer: int = 0  # the newest timer; an older one means nothing any more
    is_closing: bool = False  # the server ends
    is_deleted: bool = False

    @property
    def shown(self) -> State:
        """Return the state that people see, and that commands are judged by."""
        if self.trainer in (Trainer.BEGINNING, Trainer.LAUNCHING):
            return State.STARTING
        waits = self.trainer in (Trainer.EXPECTED, Trainer.CONNECTED) and not self.is_ready
        return State.STARTING if waits and self.state in LIVE else self.state

    @property
    def is_live(self) -> bool:
        """Return whether a trainer is at work on the run, or about to be."""
        if self.state in FINAL:
            return False
        return self.trainer is not Trainer.NONE or self.state in LIVE


# -- what happens


@dataclass(frozen=True, slots=True)
class Opened:
    """The server has started and found the run in the log. `may_train`: within the limit of runs at once."""

    may_train: bool = True


@dataclass(frozen=True, slots=True)
class BeginAsked:
    """Somebody asks for a trainer."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A trainer's epoch is logged: older trainers' messages are refused. The rest is what the log holds."""

    epoch: int
    state: State
    last_step: int
    goal: int | None
    lr: float
    pace: float | None


@dataclass(frozen=True, slots=True)
class Launched:
    """The trainer's process is there."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Connected:
    """A trainer has connected and said hello."""

    epoch: int
    session: int


@dataclass(frozen=True, slots=True)
class Logged:
    """Messages of the trainer are logged. `status`: the last that it said of itself."""

    epoch: int
    last_step: int
    seq: int
    status: "Status | None" = None


@dataclass(frozen=True, slots=True)
class Status:
    """How a trainer says that it stands."""

    state: State
    reason: str | None
    goal: int | None
    lr: float
    pace: float | None


@dataclass(frozen=True, slots=True)
class Parted:
    """A trainer's connection is gone."""

    session: int
    is_ours: bool  # this server started the process, and will be told of its end


@dataclass(frozen=True, slots=True)
class Lost:
    """A trainer's process has ended, or could not be started."""

    epoch: int
    loss: Loss


@dataclass(frozen=True, slots=True)
class Silent:
    """A trainer's connection is there, and nothing comes over it."""

    session: int


@dataclass(frozen=True, slots=True)
class TimedOut:
    """What was waited for has not come."""

    timer: int


@dataclass(frozen=True, slots=True)
class Broke:
    """A trainer broke the protocol, or left steps out."""

    epoch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Drained:
    """Everything that a lost trainer had sent is logged."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A trainer's end is logged; the run stands as the log says."""

    epoch: int
    state: State
    reason: str | None


@dataclass(frozen=True, slots=True)
class Closing:
    """The server ends."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The run is no longer in the log."""


Event = (
    Opened
    | BeginAsked
    | Begun
    | Launched
    | Connected
    | Logged
    | Parted
    | Lost
    | Silent
    | TimedOut
    | Broke
    | Drained
    | Ended
    | Closing
    | Deleted
)

# -- what is to be done about it


@dataclass(frozen=True, slots=True)
class LogBegin:
    """Log a new epoch, after `delay_secs`. Answered by Begun."""

    delay_secs: float = 0.0


@dataclass(frozen=True, slots=True)
class Launch:
    """Start the trainer's process. `plays`: it trains at once, up to the step `goal` if there is one.

    Answered by Launched, or Lost.
    """

    epoch: int
    plays: bool
    goal: int | None


@dataclass(frozen=True, slots=True)
class Welcome:
    """Take the trainer in: tell it what is logged, and send it the commands that wait."""

    session: int


@dataclass(frozen=True, slots=True)
class CloseSession:
    """End a trainer's connection."""

    session: int
    reason: str


@dataclass(frozen=True, slots=True)
class StopTrainer:
    """Ask the trainer to end at its next boundary."""

    session: int


@dataclass(frozen=True, slots=True)
class EndProcess:
    """Kill the trainer's process, if this server started it."""


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Say TimedOut(timer) after `secs`."""

    timer: int
    secs: float


@dataclass(frozen=True, slots=True)
class Drain:
    """Say Drained(epoch) once everything that has arrived by now is logged."""

    epoch: int


@dataclass(frozen=True, slots=True)
class LogEnd:
    """Log the end of the trainer of `epoch`. Answered by Ended."""

    epoch: int
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class TellState:
    """Tell every viewer how the run stands."""


@dataclass(frozen=True, slots=True)
class TellRestart:
    """Tell every viewer that the trainer is started again, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class FailCommands:
    """Tell whoever waits for an answer that there will be none. `only_sent`: the others wait for the next trainer."""

    reason: str
    only_sent: bool = False


@dataclass(frozen=True, slots=True)
class Forget:
    """Let go of the run."""


Effect = (
    LogBegin
    | Launch
    | Welcome
    | CloseSession
    | StopTrainer
    | EndProcess
    | SetTimer
    | Drain
    | LogEnd
    | TellState
    | TellRestart
    | FailCommands
    | Forget
)
Next = tuple[RunState, list[Effect]]


def advance(run: RunState, event: Event) -> Next:  # noqa: C901  # a table: one case an event
    """Return what becomes of `run` when `event` happens, and what is to be done about it, in order."""
    if run.is_deleted:
        return _after_deletion(run, event)
    match event:
        case Opened():
            return _opened(run, event)
        case BeginAsked() if run.trainer is Trainer.NONE or _is_unasked(run):
            return _begin(run, resumes=False)
        case Begun() if run.trainer is Trainer.BEGINNING:
            return _begun(run, event)
        case Launched(epoch) if epoch == run.epoch and run.trainer is Trainer.LAUNCHING:
            return _launched(run)
        case Connected():
            return _connected(run, event)
        case Logged() if event.epoch == run.epoch:
            return _logged(run, event)
        case Parted(session, is_ours) if session == run.session:
            return _parted(run, is_ours)
        case Lost(epoch, loss) if epoch == run.epoch and run.trainer in _THERE:
            return _lost(run, loss)
        case Silent(session) if session == run.session:
            loss = Loss("its trainer was connected and said nothing")
            return _drain(run, loss, [CloseSession(session, loss.reason), EndProcess()])
        case TimedOut(timer) if timer == run.timer and run.trainer is Trainer.EXPECTED:
            return _drain(run, Loss(_overdue(run)), [EndProcess()])
        case Broke(epoch, reason) if epoch == run.epoch and _can_break(run):
            return _broke(run, reason)
        case Drained(epoch) if epoch == run.epoch and run.loss is not None:
            return _drained(run, run.loss)
        case Ended() if event.epoch == run.epoch:
            return _ended(run, event)
        case Closing():
            return _closing(run)
        case Deleted():
            return _deleted(run)
    return run, []


def _is_unasked(run: RunState) -> bool:
    # A trainer that came by itself to a run that was given up: whoever asks for one gets a new one.
    return run.state is State.INTERRUPTED and run.trainer in (Trainer.EXPECTED, Trainer.CONNECTED)


def _can_break(run: RunState) -> bool:
    return run.trainer not in (Trainer.BEGINNING, Trainer.ENDING)


def _after_deletion(run: RunState, event: Event) -> Next:
    # Late answers of the shells. A process that came into being meanwhile is ended.
    match event:
        case Connected(session=session):
            return run, [CloseSession(session, "the run was deleted")]
        case Launched():
            return run, [EndProcess()]
    return run, []


def _opened(run: RunState, event: Opened) -> Next:
    if run.state not in LIVE:
        return run, []
    if run.epoch == 0:  # it was made, and its first trainer was not begun
        return _begin(run, resumes=False)
    if not event.may_train:
        reason = "the server ended while it was under way, and starts fewer runs at once now"
        return replace(run, trainer=Trainer.ENDING), [LogEnd(run.epoch, State.INTERRUPTED, reason)]
    return _expect(run, RECONNECT_SECS)


def _begin(run: RunState, resumes: bool, delay_secs: float = 0.0) -> Next:
    if run.is_closing or run.state in FINAL:
        return run, []
    closed: list[Effect] = []
    if run.session is not None:
        closed = [CloseSession(run.session, "another trainer takes over")]
    begun = replace(run, trainer=Trainer.BEGINNING, resumes=resumes, session=None, loss=None)
    return begun, [*closed, LogBegin(delay_secs), TellState()]


def _begun(run: RunState, event: Begun) -> Next:
    plays = run.resumes and event.state is State.RUNNING
    run = replace(
        run,
        state=event.state,
        epoch=event.epoch,
        last_step=event.last_step,
        reason=None,
        goal=event.goal,
        lr=event.lr,
        pace=event.pace,
        seq=0,
        trainer=Trainer.LAUNCHING,
        is_ready=False,
    )
    if run.is_closing:
        return _log_end(run, State.INTERRUPTED, STOPPED)
    return run, [TellState(), Launch(event.epoch, plays, event.goal)]


def _launched(run: RunState) -> Next:
    if run.is_closing:
        return _drain(run, Loss(STOPPED), [EndProcess()])
    return _expect(run, START_SECS)


def _expect(run: RunState, secs: float) -> Next:
    run = replace(run, trainer=Trainer.EXPECTED, timer=run.timer + 1)
    return run, [SetTimer(run.timer, secs)]


def _connected(run: RunState, event: Connected) -> Next:
    if event.epoch != run.epoch or run.trainer in (Trainer.BEGINNING, Trainer.ENDING):
        return run, [CloseSession(event.session, "another trainer takes over")]
    older: list[Effect] = []
    if run.session is not None:
        older = [CloseSession(run.session, "its trainer connected anew")]
    is_ready = run.is_ready or run.seq > 0
    connected = replace(run, trainer=Trainer.CONNECTED, session=event.session, is_ready=is_ready)
    told: list[Effect] = [TellState()] if connected.shown is not run.shown else []
    if run.is_closing:
        told = [StopTrainer(event.session)]
    return connected, [*older, Welcome(event.session), *told]


def _logged(run: RunState, event: Logged) -> Next:
    run = replace(run, last_step=event.last_step, seq=event.seq)
    if (status := event.status) is None:
        return run, []
    run = replace(
        run,
        state=status.state,
        reason=status.reason,
        goal=status.goal,
        lr=status.lr,
        pace=status.pace,
        is_ready=True,
    )
    return run, [TellState()]


def _parted(run: RunState, is_ours: bool) -> Next:
    run = replace(run, session=None)
    if run.loss is not None:  # its process has ended before
        return _drain(run, run.loss)
    if run.is_closing:
        return _drain(run, Loss(STOPPED))
    return _expect(run, SILENCE_SECS if is_ours else RECONNECT_SECS)


def _overdue(run: RunState) -> str:
    return (
        "its trainer was not connected for too long"
        if run.is_ready
        else "its trainer did not connect in time"
    )


def _lost(run: RunState, loss: Loss) -> Next:
    if run.session is not None:  # what it sent last is still to be read: its connection's end comes after it
        return replace(run, loss=loss), []
    return _drain(run, loss)


def _drain(run: RunState, loss: Loss, effects: list[Effect] | None = None) -> Next:
    ending = replace(run, trainer=Trainer.ENDING, session=None, loss=loss)
    return ending, [*(effects or []), Drain(run.epoch)]


def _broke(run: RunState, reason: str) -> Next:
    closed: list[Effect] = [] if run.session is None else [CloseSession(run.session, reason)]
    if run.state in FINAL:  # it goes on after its end
        return replace(run, session=None, trainer=Trainer.NONE), [*closed, EndProcess()]
    return _drain(run, Loss(reason, is_failure=True), [*closed, EndProcess()])


def _drained(run: RunState, loss: Loss) -> Next:
    run = replace(run, loss=None)
    if run.state in FINAL:
        gone = replace(run, trainer=Trainer.NONE)
        return gone, [FailCommands(f"the run is {run.state}")]
    if loss.is_failure:
        return _log_end(run, State.FAILED, loss.reason)
    if run.is_closing:
        return _log_end(run, State.INTERRUPTED, STOPPED)
    if run.state is State.INTERRUPTED:  # a trainer that nobody asked for
        return replace(run, trainer=Trainer.NONE), []
    return _restart(run, loss.reason)


def _restart(run: RunState, reason: str) -> Next:
    tries = [step for step in run.restarts if step == run.last_step]
    if len(tries) >= RESTARTS:
        advice = f"it was started {RESTARTS} times again without a step in between: play tries once more"
        return _log_end(replace(run, restarts=()), State.INTERRUPTED, f"{reason}; {advice}")
    run = replace(run, restarts=(*tries, run.last_step))
    run, effects = _begin(run, resumes=True, delay_secs=RESTART_DELAYS_SECS[len(tries)])
    return run, [
        TellRestart(reason),
        FailCommands(f"{reason}; it is started again", only_sent=True),
        *effects,
    ]


def _log_end(run: RunState, state: State, reason: str) -> Next:
    return replace(run, trainer=Trainer.ENDING), [LogEnd(run.epoch, state, reason)]


def _ended(run: RunState, event: Ended) -> Next:
    gone = replace(run, trainer=Trainer.NONE, state=event.state, reason=event.reason, session=None, loss=None)
    return gone, [FailCommands(event.reason or f"the run is {event.state}"), TellState()]


def _closing(run: RunState) -> Next:
    run = replace(run, is_closing=True)
    if run.session is not None:
        return run, [StopTrainer(run.session)]
    if run.trainer is Trainer.EXPECTED:
        return _drain(run, Loss(STOPPED), [EndProcess()])
    return run, []


def _deleted(run: RunState) -> Next:
    closed: list[Effect] = [] if run.session is None else [CloseSession(run.session, "the run was deleted")]
    gone = replace(run, is_deleted=True, trainer=Trainer.NONE, session=None)
    return gone, [*closed, EndProcess(), FailCommands("the run was deleted"), Forget()]
