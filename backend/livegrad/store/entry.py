"""Defines `Entry`, a run as one row of the run log. Knows neither readers nor writers."""

from dataclasses import dataclass
from typing import Any

from livegrad.lifecycle.states import State
from livegrad.protocol import Column, record_bytes
from livegrad.store.damage import columns_of_text, damaged_run, object_of


@dataclass(slots=True)
class Entry:
    """A run as stored in the log.

    Before the first record, `last_step` is one less than `first_step`.
    """

    id: str
    name: str
    config: dict[str, Any]
    created_at: float
    state: State
    reason: str | None
    epoch: int
    secret: str
    lr: float
    pace: float | None
    columns: tuple[Column, ...]
    data: dict[str, Any]
    last_step: int
    parent: str | None = None  # the run that this one continues, even if it was deleted
    parent_step: int | None = None
    goal: int | None = None  # the step at which the current `step` command is done
    seq: int = 0  # the number of this epoch's trainer messages in the log

    @property
    def first_step(self) -> int:
        """Return the step of the run's first record: 0, or the step at which it left its parent."""
        return self.parent_step or 0

    @property
    def record_bytes(self) -> int:
        """Return the length of one record in bytes; 0 before the columns are known."""
        return record_bytes(self.columns)


FIELDS = (
    "id, name, config, created_at, state, reason, epoch, secret, lr, pace, columns, data, "
    "last_step, parent, parent_step, goal, seq"
)


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Return the run in a row of the table runs, selected as FIELDS. Raises RunDamaged."""
    entry = Entry(*row)
    entry.config = object_of(entry.id, "its configuration", row[2])
    entry.data = object_of(entry.id, "its data", row[11])
    entry.columns = columns_of_text(entry.id, row[10])
    try:
        entry.state = State(entry.state)
    except ValueError as error:
        raise damaged_run(entry.id, f"its state: {error}") from error
    return entry
