"""Every error that livegrad raises on purpose.

The class says who caused the error. Only `api` knows HTTP status codes.

LivegradError
├── RequestError        the client asked for something impossible
│   ├── UnknownThing    no such run, parameter, step, series or data set
│   ├── ThinnedOut      the step was recorded, but its record was thinned out
│   ├── Forbidden       not possible now: the run's state or a limit forbids it
│   └── BadValue        an invalid value
├── Abandoned           nobody waits any more for the result
├── NotInstalled        an optional part is not installed
├── ProtocolError       the other end of a websocket broke the wire format
├── StaleEpoch          a replaced trainer tried to write
├── TrainerError        the training process failed or did not answer
│   └── NotStarted      the system did not start a process: none available, no memory, no program
├── LogError            the run log cannot be opened, read or written
│   ├── LogMoved        its files were moved, deleted or replaced while it was open
│   ├── LogTaken        another livegrad now writes to it
│   └── RunDamaged      one run cannot be read; the others can
└── SettingsError       the operator's flags or environment
"""

from collections.abc import Sequence


class LivegradError(Exception):
    """The root of all errors. The text is written for users."""


class RequestError(LivegradError):
    """The client caused the error."""


class UnknownThing(RequestError):
    """No such run, parameter, step, series or data set."""


class ThinnedOut(RequestError):
    """The step was recorded, but its record was thinned out.

    `nearest` lists the kept steps beside it.
    """

    def __init__(self, step: int, nearest: Sequence[int]) -> None:
        self.nearest = list(nearest)
        kept = " and ".join(map(str, self.nearest))
        super().__init__(
            f"step {step} was thinned out to make room; the nearest steps that are kept are {kept}"
        )


class Forbidden(RequestError):
    """Not possible now: the run's state or a limit forbids it."""


class BadValue(RequestError):
    """An invalid value."""


class Abandoned(LivegradError):
    """Nobody waits any more for the result."""


class NotInstalled(LivegradError):
    """An optional part is not installed."""


class ProtocolError(LivegradError):
    """The other end of a websocket broke the wire format."""


class StaleEpoch(LivegradError):
    """A replaced trainer tried to write."""


class TrainerError(LivegradError):
    """The training process failed or did not answer."""


class NotStarted(TrainerError):
    """The system did not start a process; the task itself is not at fault."""


class LogError(LivegradError):
    """The run log cannot be opened, read or written."""


class LogMoved(LogError):
    """The run log's files were moved, deleted or replaced while it was open."""


class LogTaken(LogError):
    """Another livegrad now writes to the run log."""


class RunDamaged(LogError):
    """One run cannot be read from the run log; other runs are not affected."""


class SettingsError(LivegradError):
    """The operator's flags or environment are invalid."""
