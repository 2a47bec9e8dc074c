"""A history as a table.

Each number of each step under its name, page by page, as CSV and as Parquet.
"""

import csv
import io
import sys
from collections.abc import Iterator

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegrad.errors import NotInstalled
from livegrad.export import table as module
from livegrad.export.table import Table, parquet
from livegrad.export.table import csv as csv_of
from livegrad.protocol import Frame, Slot, columns_of
from tests.backend.recorded import COLUMNS, Rows, frame, records

NAMES = [
    "loss", "validation_loss", "lr",
    "hidden_linear.weight[0, 0]", "hidden_linear.weight[1, 0]", "hidden_linear.weight[2, 0]",
    "output_linear.bias[0]",
    "hidden_linear.weight.grad[0, 0]", "hidden_linear.weight.grad[1, 0]",
    "hidden_linear.weight.grad[2, 0]", "output_linear.bias.grad[0]",
]  # fmt: skip


def table(rows: Rows, first: int = 0, at_once: int = 7) -> Table:
    frames = [frame(rows[low : low + at_once], first + low) for low in range(0, len(rows), at_once)]

    def read(low: int, high: int) -> Iterator[Frame]:
        for each in frames:
            if each.first <= high and each.last >= low:
                yield each.since(low).until(high)

    return Table("a", COLUMNS, first, first + len(rows) - 1, read)


def parsed(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode())))


def test_names_are_pytorchs_own_and_the_optimizers_state_is_left_out() -> None:
    assert table(records(1)).names() == NAMES
    parameters = [("hidden_linear.weight", (3, 1)), ("output_linear.bias", (1,))]
    with_state = columns_of(parameters, [Slot("step", True), Slot("exp_avg", False)])
    assert len(with_state) > len(COLUMNS)
    assert Table("a", with_state, 0, 0, lambda low, high: []).names() == NAMES


@given(first=st.integers(0, 600), count=st.integers(1, 700), at_once=st.integers(1, 400))
def test_csv_gives_back_the_very_float32_of_every_step(
    first: int, count: int, at_once: int
) -> None:
    rows = records(count)
    heading, *lines = parsed(b"".join(csv_of(table(rows, first, at_once))))
    assert heading == ["step", *NAMES]
    assert [int(line[0]) for line in lines] == list(range(first, first + count))
    found = np.array([[float(c or "nan") for c in line[1:]] for line in lines], np.float32)
    assert found.tobytes() == rows.tobytes()


def test_what_step_0_does_not_have_is_empty_and_a_later_nan_is_told() -> None:
    rows = records(3)
    rows[2, 0] = np.nan
    _, first, second, third = parsed(b"".join(csv_of(table(rows))))
    assert [place for place, cell in enumerate(first) if not cell] == [1, 2, 8, 9, 10, 11]
    assert all(second)
    assert third[1] == "nan"


def test_steps_that_were_thinned_out_are_left_out() -> None:
    rows = records(30)
    whole = table(rows, 0, 1)
    thinned = Table("a", COLUMNS, 0, 29, lambda low, high: (
        f for f in whole.read(low, high) if f.first % 10 == 0))  # fmt: skip
    lines = parsed(b"".join(csv_of(thinned)))[1:]
    assert [line[0] for line in lines] == ["0", "10", "20"]


def test_pages_are_bounded_and_follow_each_other() -> None:
    pages = list(table(records(100), 5).pages(16))
    assert [first for first, _ in pages] == list(range(5, 105, 16))
    assert max(len(rows) for _, rows in pages) == 16


def test_parquet_is_the_same_table_in_row_groups_with_its_metadata(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PARQUET_ROWS", 40)
    rows = records(100)
    parts = list(parquet(table(rows, 3), {"run": "a"}))
    file = pyarrow.parquet.ParquetFile(io.BytesIO(b"".join(parts)))
    assert file.num_row_groups == 3
    assert file.schema_arrow.metadata[b"run"] == b"a"
    found = file.read()
    assert found.column_names == ["step", *NAMES]
    assert found["step"].to_pylist() == list(range(3, 103))
    numbers = np.stack([found[name].to_numpy() for name in NAMES], axis=1)
    assert numbers.dtype == np.float32
    assert np.ascontiguousarray(numbers).tobytes() == rows.tobytes()


def test_without_pyarrow_it_is_said_at_once_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NotInstalled, match=r"pip install 'livegrad\[parquet\]'"):
        parquet(table(records(1)), {})
