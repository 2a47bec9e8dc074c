"""The effects of events: values that the modules of `runs` carry out for a run."""

from dataclasses import dataclass

from livegrad.lifecycle.states import State


@dataclass(frozen=True, slots=True)
class LogBegin:
    """Log a new epoch after `delay_secs`. Answered by Begun."""

    delay_secs: float = 0.0


@dataclass(frozen=True, slots=True)
class Launch:
    """Start the trainer's process.

    If `plays`, it trains at once, up to the step `goal` if there is one. Answered by Launched or
    Lost.
    """

    epoch: int
    plays: bool
    goal: int | None


@dataclass(frozen=True, slots=True)
class Welcome:
    """Accept the trainer: tell it what is logged, and send it the waiting commands."""

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
    """Kill the trainer's process if this server started it."""


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Report TimedOut(timer) after `secs`."""

    timer: int
    secs: float


@dataclass(frozen=True, slots=True)
class Drain:
    """Report Drained(epoch) once everything that has arrived by now is logged."""

    epoch: int


@dataclass(frozen=True, slots=True)
class LogEnd:
    """Log the end of the trainer of `epoch`. Answered by Ended."""

    epoch: int
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class TellState:
    """Send the run's state to every viewer."""


@dataclass(frozen=True, slots=True)
class TellRestart:
    """Tell every viewer that the trainer is restarted, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class FailCommands:
    """Tell those who wait for an answer that there will be none.

    If `only_sent`, commands that were not sent yet go on waiting for the next trainer.
    """

    reason: str
    only_sent: bool = False


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove the run from memory."""


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
