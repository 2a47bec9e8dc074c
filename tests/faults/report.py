"""What the faults did: counts, durations, violations, and the table of it all.

Knows nothing of how they came about.
"""

import re
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

SHOWN = 60  # violations; the rest are counted
RECENT = 4  # faults that a violation names
_PARTICULARS = re.compile(r"\b[0-9a-f]{8}\b|\d+(\.\d+)?(e-?\d+)?|\([^)]*\)")


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must not be: noticed after fault `index`, `secs` after the beginning.

    What did it may lie further back: `kinds` are those of the last faults, the newest first.
    """

    index: int
    kinds: tuple[str, ...]
    secs: float
    text: str

    @property
    def sort(self) -> str:
        """Return the text without what differs from one run and moment to the next."""
        return _PARTICULARS.sub("…", self.text)[:110]


@dataclass
class Report:
    """Everything that was counted. Any thread may write into it: each entry is one append."""

    seed: int
    index: int = -1  # of the fault that came last
    # kinds, newest first
    recent: deque[str] = field(default_factory=lambda: deque(["start"], RECENT))
    counts: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, str] = field(default_factory=dict)  # kind -> why it cannot be done here
    answers: Counter[str] = field(default_factory=Counter)  # commands by status
    ready_secs: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    violations: list[Violation] = field(default_factory=list)
    stderr_errors: Counter[str] = field(default_factory=Counter)  # last lines of tracebacks
    steps: int = 0  # compared with the reference
    runs: int = 0
    frames: int = 0  # that viewers received
    begun: float = field(default_factory=time.monotonic)

    def begin(self, index: int, kind: str) -> None:
        """Note that this fault is next."""
        self.index = index
        self.recent.appendleft(kind)
        self.counts[kind] += 1

    def violate(self, text: str) -> None:
        """Note a violation."""
        secs = time.monotonic() - self.begun
        violation = Violation(self.index, tuple(self.recent), secs, text)
        self.violations.append(violation)
        print(self._line(violation), file=sys.stderr, flush=True)  # a long run may be broken off

    def note_stderr(self, text: str) -> None:
        """Count the tracebacks in what a server wrote, by their last lines."""
        for part in text.split("Traceback (most recent call last):")[1:]:
            last = next(
                (line for line in part.splitlines()[1:] if line and not line[0].isspace()), ""
            )
            self.stderr_errors[last[:160]] += 1

    @property
    def secs(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self.begun

    def progress(self) -> str:
        """Return one line that tells how far it is."""
        return (
            f"{self.secs:6.0f} s  {self.index + 1} faults  "
            f"{self.runs} runs and {self.steps} steps compared  "
            f"{len(self.violations)} violations"
        )

    def table(self) -> str:
        """Return everything, as text."""
        parts = [self._kinds(), self._totals(), self._ready(), self._errors(), self._violations()]
        return "\n\n".join(part for part in parts if part)

    def _kinds(self) -> str:
        lines = ["| fault | times |", "|---|---:|"]
        lines += [f"| {kind} | {count} |" for kind, count in sorted(self.counts.items())]
        lines += [f"| {kind}: left out, {why} | 0 |" for kind, why in sorted(self.left_out.items())]
        return "\n".join(lines)

    def _totals(self) -> str:
        answers = ", ".join(f"{count} × {status}" for status, count in sorted(self.answers.items()))
        return (
            f"seed {self.seed}: {sum(self.counts.values())} faults of {len(self.counts)} kinds in "
            f"{self.secs:.0f} s; {self.runs} runs, {self.steps} steps compared with plain PyTorch, "
            f"{self.frames} frames seen by viewers\ncommands answered: {answers}"
        )

    def _ready(self) -> str:
        lines = ["| ready again after | times | median | p99 | max |", "|---|---:|---:|---:|---:|"]
        for kind, secs in sorted(self.ready_secs.items()):
            figures = (percentile(secs, 50), percentile(secs, 99), max(secs))
            lines.append(f"| {kind} | {len(secs)} | {' | '.join(f'{f:.2f} s' for f in figures)} |")
        return "\n".join(lines) if self.ready_secs else ""

    def _errors(self) -> str:
        if not self.stderr_errors:
            return ""
        lines = [f"{count} × {text}" for text, count in self.stderr_errors.most_common(20)]
        return "\n".join(["tracebacks in the server's stderr, by their last line:", *lines])

    def _violations(self) -> str:
        if not self.violations:
            return "no violation"
        sorts = Counter(violation.sort for violation in self.violations)
        lines = [f"{count} × {sort}" for sort, count in sorts.most_common()]
        lines += ["", "one by one, each with the last faults before it, the newest first:"]
        lines += [self._line(violation) for violation in self.violations[:SHOWN]]
        return "\n".join([f"{len(self.violations)} violations:", *lines])

    def _line(self, violation: Violation) -> str:
        return (
            f"seed {self.seed}, fault {violation.index}, {violation.secs:.1f} s: "
            f"{violation.text} [{' < '.join(violation.kinds)}]"
        )


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that `percent` % of all do not exceed."""
    return sorted(samples)[max(0, ceil(len(samples) * percent / 100) - 1)]
