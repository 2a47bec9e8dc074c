"""The states of a run, what commands do in them, and everything about a run that changes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

CommandKind = Literal["play", "pause", "step", "phase", "tune"]
Phase = Literal["zero_grad", "forward", "loss", "backward", "step"]
PHASES: tuple[Phase, ...] = get_args(Phase)  # in the order in which an iteration meets them


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
    State.INTERRUPTED: {
        "play": _RESUME,
        "pause": _NO,
        "step": _RESUME,
        "phase": _RESUME,
        "tune": _RESUME,
    },
    State.FAILED: {"play": _NO, "pause": _NO, "step": _NO, "phase": _NO, "tune": _NO},
}

LIVE = frozenset({State.STARTING, State.PAUSED, State.RUNNING})
FINAL = frozenset({State.FINISHED, State.FAILED})


def judge(state: State, command: CommandKind) -> Verdict:
    """Return what becomes of `command` in `state`."""
    return TABLE[state][command]


def allowed(state: State) -> list[CommandKind]:
    """Return the commands that are not refused in `state`."""
    return [kind for kind, verdict in TABLE[state].items() if verdict is not Verdict.REFUSE]


class Trainer(StrEnum):
    """What the server knows of the run's present trainer."""

    NONE = "none"
    BEGINNING = "beginning"  # its epoch is being logged
    LAUNCHING = "launching"  # its process is being started
    EXPECTED = "expected"  # it has to connect, or to connect again
    CONNECTED = "connected"
    ENDING = "ending"  # it has gone; what it sent, or its end, is being logged


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


@dataclass(frozen=True, slots=True)
class Status:
    """How a trainer says that it stands."""

    state: State
    reason: str | None
    goal: int | None
    lr: float
    pace: float | None
