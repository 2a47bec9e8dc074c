"""A run as the run log keeps it: one row of its table. Knows nothing of who reads or writes it."""

from dataclasses import dataclass
from typing import Any

from livegrad.lifecycle.states import State
from livegrad.protocol import Column, record_bytes
from livegrad.store.damage import columns_of_text, damaged_run, object_of


@dataclass(slots=True)
class Entry:
    """A run as the log keeps it. `last_step` is one less than `first_step` before the first record."""

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
    parent: str | None = None  # the run that it continues, even when that is deleted
    parent_step: int | None = None
    goal: int | None = None  # the step at which a `step` command under way is done
    seq: int = 0  # how many messages of this epoch's trainer are logged

    @property
    def first_step(self) -> int:
        """Return the step of its first record: 0, or the one at which it left its parent."""
        return self.parent_step or 0

    @property
    def record_bytes(self) -> int:
        """Return the length of one of its records; 0 before they are known."""
        return record_bytes(self.columns)


FIELDS = (
    "id, name, config, created_at, state, reason, epoch, secret, lr, pace, columns, data, last_step, "
    "parent, parent_step, goal, seq"
)


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Return the run that a row of runs, FIELDS, holds. Raises RunDamaged."""
    entry = Entry(*row)
    entry.config = object_of(entry.id, "its configuration", row[2])
    entry.data = object_of(entry.id, "its data", row[11])
    entry.columns = columns_of_text(entry.id, row[10])
    try:
        entry.state = State(entry.state)
    except ValueError as error:
        raise damaged_run(entry.id, f"its state: {error}") from error
    return entry
