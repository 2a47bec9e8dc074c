"""One run under test.

What was asked for, seen and commanded, and whether all that agrees with its records.
"""

import itertools
import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.faults.reference import LR, Rates
from tests.viewer import Seen

# Small rates: no run may diverge, however it is tuned (half to one and a half times its own rate).
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": {"kind": "sgd", "lr": 0.001}},
    "momentum": {
        "optimizer": {"kind": "sgd", "lr": 0.0005, "momentum": 0.9, "nesterov": True},
        "activation": "sigmoid",
        "batch_size": 4,
    },
    "adam": {"optimizer": {"kind": "adam", "lr": 0.005}, "dataset": "sine", "hidden": 64},
    "adamw": {"optimizer": {"kind": "adamw", "lr": 0.01}, "dataset": "step", "batch_size": 24},
    "rmsprop": {"optimizer": {"kind": "rmsprop", "lr": 0.001}, "hidden": 5, "activation": "relu"},
    "amsgrad": {
        "optimizer": {"kind": "adam", "amsgrad": True},
        "dataset": "line",
        "named_layers": False,
    },
    "gradients add up": {
        "optimizer": {"kind": "sgd", "lr": 1e-6},
        "zero_grad": False,
        "batch_size": 5,
    },
}
PACES = (30, 60, 120, 250, 400)
SHORTEST, LONGEST = 1500, 4000  # steps of a run


@dataclass
class Tuned:
    """A tuning that was sent. `step`: where it was applied, as answered; None without an answer."""

    lr: float
    step: int | None = None
    is_refused: bool = False  # 409: certainly not applied


@dataclass
class WatchedRun:
    """A run of the system's.

    `asked` is its configuration without defaults; `past` what a parent's rates were.
    """

    run: str
    kind: str
    asked: dict[str, Any]
    past: Rates = ()
    first: int = 0
    floor: int = 0  # the newest step that any viewer has seen: it is committed
    # (first, count, payload) of frames
    seen: list[tuple[int, int, bytes]] = field(default_factory=list)
    tunes: list[Tuned] = field(default_factory=list)
    is_done: bool = False  # its viewers leave
    is_tuning: bool = False  # is a tuning under way?
    is_controlled: bool = False  # is another command under way?
    is_failed: bool = False  # found `failed`, and noted

    @property
    def rate(self) -> float:
        """Return the learning rate that it began with."""
        return float(self.asked["optimizer"].get("lr", 0.001))

    def see(self, frame: Seen) -> None:
        """Note a frame of records that a viewer received."""
        self.seen.append((frame.first, frame.count, frame.payload))
        self.floor = max(self.floor, frame.last)


_numbers = itertools.count(1)


def asked_for(kind: str, is_fast: bool, source: random.Random) -> dict[str, Any]:
    """Return a configuration to ask for.

    One of OPTIMIZERS, as long and as fast as chance will have it.
    """
    chosen = {
        key: dict(value) if isinstance(value, dict) else value
        for key, value in OPTIMIZERS[kind].items()
    }
    return chosen | {
        "name": f"{kind} {next(_numbers)}",
        "seed": source.randrange(2**32),
        "max_steps": source.randint(SHORTEST, LONGEST),
        "pace": None if is_fast else source.choice(PACES),
    }


def payload_of(watched: WatchedRun, frames: list[Seen]) -> bytes:
    """Join stored frames. Raises ValueError where a step is missing or comes twice."""
    expected = watched.first
    for frame in frames:
        if frame.first != expected:
            word = "missing" if frame.first > expected else "there twice"
            raise ValueError(f"step {min(frame.first, expected)} is {word} in its records")
        expected = frame.last + 1
    return b"".join(frame.payload for frame in frames)


def seen_otherwise(watched: WatchedRun, payload: bytes, size: int) -> str:
    """Return which step a viewer saw otherwise than it is stored, in words; or ""."""
    for first, count, piece in watched.seen:
        seen = f"a viewer saw steps {first} to {first + count - 1}"
        at = (first - watched.first) * size
        if at < 0 or at + count * size > len(payload):
            last = watched.first + len(payload) // size - 1
            return f"{seen}; stored are {watched.first} to {last}"
        if payload[at : at + count * size] != piece:
            return f"{seen} with other bytes than are stored"
    return ""


def tuned_otherwise(watched: WatchedRun, payload: bytes, size: int) -> list[str]:
    """Return which answered tunings do not stand in the record after the step that was answered, in
    words.
    """
    rates = np.frombuffer(payload, np.float32).reshape(-1, size // 4)[:, LR]
    unanswered = {np.float32(t.lr) for t in watched.tunes if t.step is None and not t.is_refused}
    found = []
    answered = [t for t in watched.tunes if t.step is not None]
    for place, tuned in enumerate(answered):
        assert tuned.step is not None
        row = tuned.step + 1 - watched.first
        if row < 0:
            found.append(
                f"tune was answered at step {tuned.step}, before its first step {watched.first}"
            )
            continue
        later = {
            np.float32(t.lr)
            for t in answered[place + 1 :]
            if t.step is not None and t.step <= tuned.step
        }
        if row < len(rates) and rates[row] not in {np.float32(tuned.lr)} | later | unanswered:
            found.append(
                f"tune to {tuned.lr!r} was answered at step {tuned.step}, record {tuned.step + 1} "
                f"has {float(rates[row])!r}"
            )
    return found
