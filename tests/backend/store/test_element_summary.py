"""Summaries of single elements tell the true lowest, highest, last and first NaN of every number,
however large.
"""

import numpy as np
import pytest

from livegrad.errors import LogError, UnknownThing
from livegrad.store.blocks import BLOCK, FOLD, SIZES
from livegrad.store.element_summary import element_place, fold, summarize, unpacked
from livegrad.store.series import reader
from livegrad.store.summary import points
from tests.backend.recorded import COLUMNS, FLOATS, Rows, records

NAMES = [
    *(f"hidden_linear.weight{grad}[{row}, 0]" for grad in ("", ".grad") for row in range(3)),
    "output_linear.bias[0]",
    "output_linear.bias.grad[0]",
]


def told(rows: Rows, name: str, block: int = 0, first: int | None = None) -> dict[int, float]:
    summaries = [(block, summarize(rows, COLUMNS, block if first is None else first, block))]
    place = element_place(name, COLUMNS)
    steps, values = points(unpacked(summaries, BLOCK, slice(place, place + 1)), 0)
    return dict(zip(steps.tolist(), values.tolist(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_digest_has_the_lowest_the_highest_the_last_and_the_first_nan(name: str) -> None:
    rows = records(BLOCK)
    values = reader(name, COLUMNS)(rows)
    expected = {int(np.nanargmin(values)), int(np.nanargmax(values)), BLOCK - 1}
    if np.isnan(values).any():
        expected.add(int(np.isnan(values).argmax()))
    found = told(rows, name, block=1024)
    assert set(found) == {1024 + step for step in expected}
    assert np.array_equal(
        list(found.values()), values[[step - 1024 for step in found]], equal_nan=True
    )


def test_infinities_and_blocks_of_nan_are_told() -> None:
    rows = records(BLOCK)
    rows[5, 3], rows[6, 3], rows[7, 3] = np.inf, -np.inf, np.nan
    rows[:, 4] = np.nan
    assert told(rows, "0.weight[0, 0]").keys() == {5, 6, 7, BLOCK - 1}
    assert told(rows, "0.weight[1, 0]").keys() == {0, BLOCK - 1}


def test_a_run_may_begin_within_a_block() -> None:
    rows = records(56)
    found = told(rows, "output_linear.bias[0]", block=512, first=712)
    assert min(found) >= 712
    assert max(found) == 767
    assert all(rows[step - 712, 6] == value for step, value in found.items())


def test_a_folded_digest_is_the_digest_of_all() -> None:
    rows = records(BLOCK * FOLD)
    rows[BLOCK * 3 : BLOCK * 4, 3] = np.nan
    firsts = range(4096, 4096 + len(rows), BLOCK)
    parts = [
        (low, summarize(rows[low - 4096 : low - 4096 + BLOCK], COLUMNS, low, low)) for low in firsts
    ]
    assert fold(parts, BLOCK, 4096) == summarize(rows, COLUMNS, 4096, 4096)


def test_steps_of_the_largest_block_fit() -> None:
    rows = np.zeros((SIZES[-1], FLOATS), np.float32)
    rows[-2, 3] = 1
    cells = unpacked([(0, summarize(rows, COLUMNS, 0, 0))], SIZES[-1], slice(0, 1))
    assert points(cells, 0)[0].tolist() == [0, SIZES[-1] - 2, SIZES[-1] - 1]


def test_damage_and_unknown_elements_are_told() -> None:
    with pytest.raises(LogError, match="damaged"):
        unpacked([(0, b"x")], BLOCK, slice(None))
    with pytest.raises(UnknownThing):
        element_place("hidden_linear.weight[3, 0]", COLUMNS)
