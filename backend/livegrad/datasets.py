"""The built-in data sets: points, names, units.

PURE: plain numbers; knows nothing about torch or the web.
"""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a data set. The model is fed `scale` times the displayed value."""

    name: str
    unit: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Dataset:
    """Points (x[i], y[i]) in the units of their axes."""

    name: str
    title: str
    description: str
    x_axis: Axis
    y_axis: Axis
    x: tuple[float, ...]
    y: tuple[float, ...]

    @property
    def validation_size(self) -> int:
        """Return the number of validation points: a fifth, rounded down, at least one."""
        return max(1, len(self.x) // 5)

    @property
    def training_size(self) -> int:
        """Return how many points the model is trained on."""
        return len(self.x) - self.validation_size


def _temperature() -> Dataset:
    # The thermometer in Stevens, Antiga, Viehmann: "Deep Learning with PyTorch", chapter 5.
    celsius = (0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0)
    readings = (35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4)
    return Dataset(
        "temperature",
        "Thermometer",
        "Eleven readings t_u of a thermometer without a label, each with the true temperature t_c.",
        Axis("t_u", "unlabelled", 0.1),
        Axis("t_c", "°C"),
        readings,
        celsius,
    )


def _grid(count: int, low: float, high: float) -> tuple[float, ...]:
    return tuple(round(low + (high - low) * i / (count - 1), 6) for i in range(count))


def _sine() -> Dataset:
    x = _grid(40, -3.0, 3.0)
    y = tuple(round(math.sin(2.0 * v), 6) for v in x)
    return Dataset(
        "sine",
        "Sine",
        "Two waves of sin(2x) without noise; a few hidden units can fit them.",
        Axis("x", "rad"),
        Axis("sin 2x", ""),
        x,
        y,
    )


def _step() -> Dataset:
    x = _grid(30, -2.0, 2.0)
    return Dataset(
        "step",
        "Step",
        "−1 left of zero and +1 right of it; a single unit with a large weight can fit this.",
        Axis("x", ""),
        Axis("sign x", ""),
        x,
        tuple(-1.0 if v < 0 else 1.0 for v in x),
    )


def _line() -> Dataset:
    noise = random.Random(13)
    x = _grid(30, -2.0, 2.0)
    return Dataset(
        "line",
        "Noisy line",
        "y = 1.5 x − 0.5 with noise of standard deviation 0.3; a large network fits the noise too.",
        Axis("x", ""),
        Axis("y", ""),
        x,
        tuple(round(1.5 * v - 0.5 + 0.3 * _normal(noise), 6) for v in x),
    )


def _normal(source: random.Random) -> float:
    # The Box–Muller transform: only `random()` is guaranteed to stay the same in every Python
    # version.
    radius = math.sqrt(-2.0 * math.log(1.0 - source.random()))
    return radius * math.cos(2.0 * math.pi * source.random())


DATASETS: dict[str, Dataset] = {d.name: d for d in (_temperature(), _sine(), _step(), _line())}
