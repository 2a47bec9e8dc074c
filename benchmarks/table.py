"""Rows of the table: a figure, its target, and whether it is reached.

Knows nothing of measuring.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one run.

    `reach` is the target, an upper bound unless `at_least`; None for a figure without a target.
    `value` is None if nothing could be measured; `note` then says why.
    """

    subject: str
    what: str
    value: float | None
    unit: str
    reach: float | None = None
    at_least: bool = False
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Return "reached", "missed", "beside" for a row without a target, or "not measured"."""
        if self.value is None:
            return "not measured"
        if self.reach is None:
            return "beside"
        reached = self.value >= self.reach if self.at_least else self.value <= self.reach
        return "reached" if reached else "missed"

    def as_json(self) -> dict[str, Any]:
        """Return the row as in the JSON file."""
        return asdict(self) | {"verdict": self.verdict}

    def cells(self) -> tuple[str, ...]:
        """Return the row as in the printed table."""
        sign = "≥" if self.at_least else "≤"
        reach = "" if self.reach is None else f"{sign} {_figure(self.reach, self.unit)}"
        return self.what, _figure(self.value, self.unit), reach, self.verdict, self.note


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    text = (
        f"{value:.2f}" if unit in ("×", "s") else f"{value:.1f}" if value < 100 else f"{value:,.0f}"
    )
    return f"{text} {unit}"


HEADINGS = ("what", "measured", "target", "verdict", "note")


def heading() -> str:
    """Return the table's first two lines."""
    return f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}"


def line(row: Row) -> str:
    """Return one row as a line of a Markdown table."""
    return f"| {' | '.join(row.cells())} |"


def missed(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that miss their target."""
    return [row for row in rows if row.verdict == "missed"]
