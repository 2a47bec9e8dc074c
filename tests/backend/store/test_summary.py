"""Summaries tell the true lowest, highest, last and first NaN of every block, however large."""

import math

import numpy as np
import pytest

from livegrad.store.blocks import BLOCK, FOLD
from livegrad.store.series import reader
from livegrad.store.summary import fold, names, points, read, spans, summarize, summary_place
from tests.backend.recorded import COLUMNS, Rows, records


def told(rows: Rows, name: str, first: int = 0) -> dict[int, float]:
    place = summary_place(name, COLUMNS)
    assert place is not None
    steps, values = points(read([summarize(rows, COLUMNS, first)], COLUMNS), place)
    return dict(zip(steps.tolist(), values.tolist(), strict=True))


@pytest.mark.parametrize("name", names(COLUMNS))
def test_a_digest_has_the_lowest_the_highest_the_last_and_the_first_nan(name: str) -> None:
    rows = records(BLOCK)
    values = reader(name, COLUMNS)(rows)
    expected = {int(np.nanargmin(values)), int(np.nanargmax(values)), BLOCK - 1}
    if np.isnan(values).any():
        expected.add(int(np.isnan(values).argmax()))
    found = told(rows, name)
    assert set(found) == expected
    for step, value in found.items():
        assert value == values[step] or (math.isnan(value) and math.isnan(values[step]))


def test_infinities_are_not_taken_for_nan() -> None:
    rows = records(BLOCK)
    rows[:, 0] = np.inf
    rows[0, 0] = np.nan
    assert told(rows, "loss").keys() == {0, 1, BLOCK - 1}
    rows[:, 0] = np.nan
    rows[7, 0] = -np.inf
    assert told(rows, "loss")[7] == -math.inf


def test_a_block_of_nan_tells_its_first() -> None:
    rows = records(BLOCK)
    rows[:, 0] = np.nan
    found = told(rows, "loss", first=512)
    assert found.keys() == {512, 512 + BLOCK - 1}
    assert all(map(math.isnan, found.values()))


def test_a_folded_digest_is_the_digest_of_all() -> None:
    rows = records(BLOCK * FOLD)
    rows[BLOCK * 3 : BLOCK * 4, 0] = np.nan
    parts = [
        summarize(rows[low : low + BLOCK], COLUMNS, 4096 + low)
        for low in range(0, len(rows), BLOCK)
    ]
    assert fold(parts, COLUMNS) == summarize(rows, COLUMNS, 4096)


def test_a_numbered_name_is_the_same_series() -> None:
    assert summary_place("gradient_norm/0.weight", COLUMNS) == summary_place(
        "gradient_norm/hidden_linear.weight", COLUMNS
    )
    assert summary_place("hidden_linear.weight[0, 0]", COLUMNS) is None


@pytest.mark.parametrize(
    ("first", "last", "first_step", "compacted", "expected"),
    [
        (0, 1000, 0, 768, [(0, 767, 256), (768, 1000, 1)]),
        (5, 1000, 0, 768, [(5, 255, 1), (256, 767, 256), (768, 1000, 1)]),
        (17, 1000, 17, 768, [(0, 767, 256), (768, 1000, 1)]),
        (0, 8191, 0, 8192, [(0, 8191, 4096)]),
        (0, 8500, 0, 8448, [(0, 8191, 4096), (8192, 8447, 256), (8448, 8500, 1)]),
        (300, 400, 0, 8192, [(300, 400, 1)]),
    ],
)
def test_spans_cover_every_step_once(
    first: int, last: int, first_step: int, compacted: int, expected: list[tuple[int, int, int]]
) -> None:
    assert list(spans(first, last, (256, 4096), first_step, compacted)) == expected
