"""Which fault comes when: from a seed alone. PURE; knows neither processes nor servers."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# between two faults, where a fault does not wait by itself
SHORTEST_SECS, LONGEST_SECS = 0.005, 0.15


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `wait_secs` after the one before it; `number` seeds every choice that it makes."""

    index: int
    kind: str
    wait_secs: float
    number: int

    def choices(self) -> random.Random:
        """Return the source of its choices: targets, durations, the commands around it."""
        return random.Random(self.number)


def schedule(seed: int, count: int, weights: Mapping[str, int]) -> Iterator[Fault]:
    """Yield `count` faults.

    Each kind comes `weights[kind]` times in every pass through the deck of all kinds.
    """
    source = random.Random(seed)
    deck = [kind for kind, weight in sorted(weights.items()) for _ in range(weight)]
    for index in range(count):
        if index % len(deck) == 0:
            source.shuffle(deck)
        wait = source.uniform(SHORTEST_SECS, LONGEST_SECS)
        yield Fault(index, deck[index % len(deck)], wait, source.getrandbits(48))
