"""Statistics of samples, and the amount of measuring. Knows nothing of what is measured."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure. `--quick` shows that everything works, and says little about speed."""

    is_quick: bool = False

    def times(self, count: int) -> int:
        """Return how many repetitions to make instead of the usual `count`."""
        return max(1, count // 5) if self.is_quick else count

    def secs(self, seconds: float) -> float:
        """Return how long to watch instead of the usual `seconds`."""
        return max(0.5, seconds / 5) if self.is_quick else seconds


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of wall-clock time, and of processor time in all threads.

    Other programs hardly affect the latter.
    """

    clock: float
    processor: float

    def each(self, count: int) -> "Spent":
        """Return the time for one of `count`."""
        return Spent(self.clock / count, self.processor / count)


def spent(work: Callable[[], None]) -> Spent:
    """Return the time that `work` takes."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - clock, time.process_time() - processor)


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that `percent` % of all samples do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def median_ratio(pairs: Sequence[tuple[float, float]]) -> float:
    """Return the median of a ÷ b over pairs.

    Each pair is measured in immediate succession, so that both see the same machine.
    """
    return median(a / b for a, b in pairs)
