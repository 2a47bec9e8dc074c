"""The events in the life of a run."""

from dataclasses import dataclass

from livegrad.lifecycle.states import Loss, State, Status


@dataclass(frozen=True, slots=True)
class Opened:
    """The server has started and found the run in the log.

    `may_train`: the run is within the limit of runs at once.
    """

    may_train: bool = True


@dataclass(frozen=True, slots=True)
class BeginAsked:
    """Somebody asked for a trainer."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A new trainer's epoch is logged, so messages of older trainers are refused.

    The fields hold the state in the log.
    """

    epoch: int
    state: State
    last_step: int
    goal: int | None
    lr: float
    pace: float | None


@dataclass(frozen=True, slots=True)
class Launched:
    """The trainer's process has started."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Connected:
    """A trainer has connected and sent its hello."""

    epoch: int
    session: int


@dataclass(frozen=True, slots=True)
class Logged:
    """Messages of the trainer are logged. `status` is the last one that it reported."""

    epoch: int
    last_step: int
    seq: int
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class Parted:
    """A trainer's connection has ended."""

    session: int
    is_ours: bool  # this server started the process, and will be told when it ends


@dataclass(frozen=True, slots=True)
class Lost:
    """A trainer's process has ended, or could not be started."""

    epoch: int
    loss: Loss


@dataclass(frozen=True, slots=True)
class Silent:
    """A trainer is connected but does not answer."""

    session: int


@dataclass(frozen=True, slots=True)
class TimedOut:
    """An expected event has not come in time."""

    timer: int


@dataclass(frozen=True, slots=True)
class Broke:
    """A trainer broke the protocol or left steps out."""

    epoch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Drained:
    """Everything that a lost trainer had sent is logged."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A trainer's end is logged. The fields hold the state in the log."""

    epoch: int
    state: State
    reason: str | None


@dataclass(frozen=True, slots=True)
class Closing:
    """The server is stopping."""


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
