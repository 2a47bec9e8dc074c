"""The task that a trainer is given.

PURE: plain values that can be sent to another process; no torch.
"""

from dataclasses import dataclass

from livegrad.protocol import Column


@dataclass(frozen=True, slots=True)
class Address:
    """Where a run's trainer connects, its secret, and its epoch."""

    url: str
    secret: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Origin:
    """The record from which a run continues, and the learning rate then in force.

    `is_own` is true for an interrupted run, whose log contains the record, and false for a run that
    continues another run.
    """

    step: int
    record: bytes
    columns: tuple[Column, ...]
    lr: float
    is_own: bool


@dataclass(frozen=True, slots=True)
class Assignment:
    """A trainer's whole task.

    `config` is RunConfig as JSON; `pace` is the pace in force, in steps per second.

    If `plays`, it trains at once, up to the step `goal` if there is one, as the trainer before it
    did.
    """

    address: Address
    config: str
    pace: float | None
    origin: Origin | None = None
    plays: bool = False
    goal: int | None = None
