"""Computes a run's next state and the effects of an event."""

from dataclasses import replace

from livegrad.lifecycle.effects import (
    CloseSession,
    Drain,
    Effect,
    EndProcess,
    FailCommands,
    Forget,
    Launch,
    LogBegin,
    LogEnd,
    SetTimer,
    StopTrainer,
    TellRestart,
    TellState,
    Welcome,
)
from livegrad.lifecycle.events import (
    BeginAsked,
    Begun,
    Broke,
    Closing,
    Connected,
    Deleted,
    Drained,
    Ended,
    Event,
    Launched,
    Logged,
    Lost,
    Opened,
    Parted,
    Silent,
    TimedOut,
)
from livegrad.lifecycle.states import (
    FINAL,
    LIVE,
    Loss,
    RunState,
    State,
    Trainer,
)

RESTARTS = 5  # this many without a step between them: further restarts would not help
RESTART_DELAYS_SECS = (0.0, 0.5, 1.0, 2.0, 4.0)  # before the first, second, … restart
RECONNECT_SECS = 1.5  # for a trainer that outlived its server
SILENCE_SECS = 10.0  # for a trainer of this server that lost its connection
START_SECS = 120.0  # from the start of the process to its connection, with torch on a cold disk
STOPPED = "the server was stopped"

_PRESENT = frozenset({Trainer.LAUNCHING, Trainer.EXPECTED, Trainer.CONNECTED})

Next = tuple[RunState, list[Effect]]


def advance(run: RunState, event: Event) -> Next:  # noqa: C901  # a table with one case per event
    """Return the state of `run` after `event`, and the effects in order."""
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
        case Lost(epoch, loss) if epoch == run.epoch and run.trainer in _PRESENT:
            return _lost(run, loss)
        case Silent(session) if session == run.session:
            loss = Loss("its trainer was connected but did not answer")
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
    # A trainer that connected by itself to a run that was given up. A request for a trainer
    # replaces it.
    return run.state is State.INTERRUPTED and run.trainer in (Trainer.EXPECTED, Trainer.CONNECTED)


def _can_break(run: RunState) -> bool:
    return run.trainer not in (Trainer.BEGINNING, Trainer.ENDING)


def _after_deletion(run: RunState, event: Event) -> Next:
    # Events that arrive late. A process that was started in the meantime is ended.
    match event:
        case Connected(session=session):
            return run, [CloseSession(session, "the run was deleted")]
        case Launched():
            return run, [EndProcess()]
    return run, []


def _opened(run: RunState, event: Opened) -> Next:
    if run.state not in LIVE:
        return run, []
    if run.epoch == 0:  # the run was created, but its first trainer was not begun
        return _begin(run, resumes=False)
    if not event.may_train:
        reason = "the server stopped while the run was training, and now allows fewer runs at once"
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
        older = [CloseSession(run.session, "its trainer connected again")]
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
    if run.loss is not None:  # its process has already ended
        return _drain(run, run.loss)
    if run.is_closing:
        return _drain(run, Loss(STOPPED))
    return _expect(run, SILENCE_SECS if is_ours else RECONNECT_SECS)


def _overdue(run: RunState) -> str:
    return (
        "its trainer was disconnected for too long"
        if run.is_ready
        else "its trainer did not connect in time"
    )


def _lost(run: RunState, loss: Loss) -> Next:
    # its last messages are not read yet; the end of the connection comes after them
    if run.session is not None:
        return replace(run, loss=loss), []
    return _drain(run, loss)


def _drain(run: RunState, loss: Loss, effects: list[Effect] | None = None) -> Next:
    ending = replace(run, trainer=Trainer.ENDING, session=None, loss=loss)
    return ending, [*(effects or []), Drain(run.epoch)]


def _broke(run: RunState, reason: str) -> Next:
    closed: list[Effect] = [] if run.session is None else [CloseSession(run.session, reason)]
    if run.state in FINAL:  # it went on after its end
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
        advice = f"it was restarted {RESTARTS} times without completing a step: play tries again"
        return _log_end(replace(run, restarts=()), State.INTERRUPTED, f"{reason}; {advice}")
    run = replace(run, restarts=(*tries, run.last_step))
    run, effects = _begin(run, resumes=True, delay_secs=RESTART_DELAYS_SECS[len(tries)])
    return run, [
        TellRestart(reason),
        FailCommands(f"{reason}; the trainer is restarted", only_sent=True),
        *effects,
    ]


def _log_end(run: RunState, state: State, reason: str) -> Next:
    return replace(run, trainer=Trainer.ENDING), [LogEnd(run.epoch, state, reason)]


def _ended(run: RunState, event: Ended) -> Next:
    gone = replace(
        run, trainer=Trainer.NONE, state=event.state, reason=event.reason, session=None, loss=None
    )
    return gone, [FailCommands(event.reason or f"the run is {event.state}"), TellState()]


def _closing(run: RunState) -> Next:
    run = replace(run, is_closing=True)
    if run.session is not None:
        return run, [StopTrainer(run.session)]
    if run.trainer is Trainer.EXPECTED:
        return _drain(run, Loss(STOPPED), [EndProcess()])
    return run, []


def _deleted(run: RunState) -> Next:
    closed: list[Effect] = (
        [] if run.session is None else [CloseSession(run.session, "the run was deleted")]
    )
    gone = replace(run, is_deleted=True, trainer=Trainer.NONE, session=None)
    return gone, [*closed, EndProcess(), FailCommands("the run was deleted"), Forget()]
