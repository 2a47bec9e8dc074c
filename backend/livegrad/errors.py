"""Every error that livegrad raises on purpose. The class says whose fault it is; HTTP codes are `api`'s.

LivegradError
├── RequestError        the client asked for something that cannot be
│   ├── UnknownThing    no such run, parameter, step, series or data set
│   ├── ThinnedOut      the step was recorded, and its detail has been let go since
│   ├── Forbidden       it exists, but not now: the state, or a limit, is against it
│   └── BadValue        a value that is not what was expected
├── Abandoned           nobody waits any more for what is being made
├── NotInstalled        an optional part that was not installed with livegrad
├── ProtocolError       the other end of a websocket broke the wire format
├── StaleEpoch          a trainer that was replaced tried to write
├── TrainerError        the training process failed, or did not answer
│   └── NotStarted      the surroundings kept a process from starting: none to be had, no memory, no executable
├── LogError            the run log cannot be opened, read or written
│   ├── LogMoved        its files were moved, deleted or replaced while it was open
│   ├── LogTaken        another livegrad writes to it now
│   └── RunDamaged      what it has of one run cannot be read; of the others it can
└── SettingsError       the operator's flags or environment
"""

from collections.abc import Sequence


class LivegradError(Exception):
    """The root: its text is written for the person who reads it."""


class RequestError(LivegradError):
    """The client's fault."""


class UnknownThing(RequestError):
    """No such run, parameter, step, series or data set."""


class ThinnedOut(RequestError):
    """The step was recorded, and its detail has been let go since. `nearest`: steps beside it that are kept."""

    def __init__(self, step: int, nearest: Sequence[int]) -> None:
        self.nearest = list(nearest)
        kept = " and ".join(map(str, self.nearest))
        super().__init__(
            f"step {step} was thinned out to make room; the nearest steps that are kept are {kept}"
        )


class Forbidden(RequestError):
    """Not now: the run's state, or a limit, is against it."""


class BadValue(RequestError):
    """A value that is not what was expected."""


class Abandoned(LivegradError):
    """Nobody waits any more for what is being made."""


class NotInstalled(LivegradError):
    """An optional part that was not installed with livegrad."""


class ProtocolError(LivegradError):
    """The other end of a websocket broke the wire format."""


class StaleEpoch(LivegradError):
    """A trainer that was replaced tried to write."""


class TrainerError(LivegradError):
    """The training process failed, or did not answer."""


class NotStarted(TrainerError):
    """The surroundings kept a process from starting; nothing is wrong with what it was to do."""


class LogError(LivegradError):
    """The run log cannot be opened, read or written."""


class LogMoved(LogError):
    """The run log's files were moved, deleted or replaced while it was open."""


class LogTaken(LogError):
    """Another livegrad writes to the run log now."""


class RunDamaged(LogError):
    """What the run log has of one run cannot be read. Other runs are not touched by that."""


class SettingsError(LivegradError):
    """The operator's flags or environment."""
