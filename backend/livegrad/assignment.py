"""What a trainer is told by whoever starts it. Plain values, so that they can cross to another process; no torch."""

from dataclasses import dataclass

from livegrad.protocol import Column


@dataclass(frozen=True, slots=True)
class Address:
    """Where a run's trainer connects, the run's own secret, and which of the run's trainers it is."""

    url: str
    secret: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Origin:
    """The record that a run goes on from: its step, its bytes, and the learning rate then in force.

    `is_own` tells a run that was interrupted, whose log has that record, from one that continues another run.
    """

    step: int
    record: bytes
    columns: tuple[Column, ...]
    lr: float
    is_own: bool


@dataclass(frozen=True, slots=True)
class Assignment:
    """The whole task. `config` is RunConfig as JSON; `pace` is the pace in force, steps per second.

    `plays`: train at once, up to the step `goal` if there is one, as the trainer before it did.
    """

    address: Address
    config: str
    pace: float | None
    origin: Origin | None = None
    plays: bool = False
    goal: int | None = None
