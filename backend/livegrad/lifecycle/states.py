"""The states of a run, what each command does in each state, and `RunState`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

CommandKind = Literal["play", "pause", "step", "phase", "tune"]
Phase = Literal["zero_grad", "forward", "loss", "backward", "step"]
PHASES: tuple[Phase, ...] = get_args(Phase)  # in the order in which an iteration meets them


class State(StrEnum):
    """The state of a run."""

    STARTING = "starting"
    PAUSED = "paused"
    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Verdict(StrEnum):
    """What happens to a command."""

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
    """Return what happens to `command` in `state`."""
    return TABLE[state][command]


def allowed(state: State) -> list[CommandKind]:
    """Return the commands that are not refused in `state`."""
    return [kind for kind, verdict in TABLE[state].items() if verdict is not Verdict.REFUSE]


class Trainer(StrEnum):
    """The server's view of the run's current trainer."""

    NONE = "none"
    BEGINNING = "beginning"  # its epoch is being logged
    LAUNCHING = "launching"  # its process is being started
    EXPECTED = "expected"  # it has to connect or reconnect
    CONNECTED = "connected"
    ENDING = "ending"  # it is gone; its last messages, or its end, are being logged


@dataclass(frozen=True, slots=True)
class Loss:
    """How a trainer was lost.

    `is_failure`: its own code raised an error, which would be raised again.
    """

    reason: str
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything about a run that changes. The fields up to `seq` are stored in the log."""

    state: State
    epoch: int
    last_step: int  # of the last record; before the first record, one less than its step
    reason: str | None = None
    goal: int | None = None  # the step at which the current `step` command is done
    lr: float = 0.0
    pace: float | None = None
    seq: int = 0  # the number of this epoch's trainer messages in the log
    trainer: Trainer = Trainer.NONE
    is_ready: bool = False  # whether the current trainer has reported its state
    resumes: bool = False  # whether a new trainer plays at once if the run was running
    session: int | None = None  # the trainer's connection
    loss: Loss | None = None  # how the trainer was lost, until all its messages are logged
    restarts: tuple[int, ...] = ()  # the steps at which the trainer was restarted
    timer: int = 0  # the number of the newest timer; older timers are ignored
    is_closing: bool = False  # the server is stopping
    is_deleted: bool = False

    @property
    def shown(self) -> State:
        """Return the state that is displayed, and by which commands are judged."""
        if self.trainer in (Trainer.BEGINNING, Trainer.LAUNCHING):
            return State.STARTING
        waits = self.trainer in (Trainer.EXPECTED, Trainer.CONNECTED) and not self.is_ready
        return State.STARTING if waits and self.state in LIVE else self.state

    @property
    def is_live(self) -> bool:
        """Return whether a trainer works on the run or is about to."""
        if self.state in FINAL:
            return False
        return self.trainer is not Trainer.NONE or self.state in LIVE


@dataclass(frozen=True, slots=True)
class Status:
    """A run's state as reported by its trainer."""

    state: State
    reason: str | None
    goal: int | None
    lr: float
    pace: float | None
