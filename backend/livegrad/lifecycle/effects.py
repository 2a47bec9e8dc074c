"""What the shells carry out for a run: values, not actions."""

from dataclasses import dataclass

from livegrad.lifecycle.states import State


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
