"""A run's row of the log: read back as it was, or said to be damaged, by the field that is."""

import json
from typing import Any

import pytest

from livegrad.errors import RunDamaged
from livegrad.lifecycle.states import State
from livegrad.store.entry import FIELDS, entry_of
from tests.backend.recorded import COLUMNS, FLOATS, entry

NAMES = FIELDS.split(", ")


def row(**changed: Any) -> tuple[Any, ...]:
    made = entry("a", parent="b", step=7)
    values = {name: getattr(made, name) for name in NAMES}
    texts = {"config": json.dumps(made.config), "data": "{}", "state": "paused",
             "columns": json.dumps([column.as_json() for column in COLUMNS])}  # fmt: skip
    return tuple((values | texts | changed)[name] for name in NAMES)


def test_a_row_is_read_back_as_the_run_that_it_was() -> None:
    found, made = entry_of(row()), entry("a", parent="b", step=7)
    made.columns = COLUMNS
    assert found == made
    assert found.state is State.PAUSED
    assert (found.first_step, found.last_step) == (7, 6)
    assert found.record_bytes == 4 * FLOATS


def test_a_run_without_columns_has_records_of_no_length_and_begins_at_step_0() -> None:
    made = entry("a")
    assert (made.first_step, made.last_step, made.record_bytes) == (0, -1, 0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"config": "{"}, "its configuration: "),
        ({"config": "[]"}, "its configuration is not as it was written"),
        ({"data": '{"é": 1}'}, "its data is not as it was written"),
        ({"columns": "{}"}, "its columns: "),
        ({"columns": "[1]"}, "its columns: "),
        ({"state": "asleep"}, "its state: 'asleep' is not a valid State"),
    ],
)
def test_a_field_that_is_damaged_is_named(changed: dict[str, str], said: str) -> None:
    with pytest.raises(RunDamaged, match="run a is damaged") as raised:
        entry_of(row(**changed))
    assert said in str(raised.value)
