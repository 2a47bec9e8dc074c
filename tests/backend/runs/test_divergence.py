"""Where two runs part.

The first bit of a parameter that differs, against a comparison of whole arrays.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegrad.protocol import columns_of
from livegrad.runs.divergence import Divergence, Side, find_divergence
from tests.backend.recorded import COLUMNS, FLOATS, Rows, frame, records

PARAMETERS = [column for column in COLUMNS if column.role == "parameter"]
FIRST = PARAMETERS[0].offset  # hidden_linear.weight, three elements; then output_linear.bias


def side(rows: Rows, first: int = 0, at_once: int = 7) -> Side:
    starts = range(0, len(rows), at_once)
    return Side(COLUMNS, [frame(rows[low : low + at_once], first + low) for low in starts])


def test_equal_parameters_never_part_whatever_else_differs() -> None:
    rows = records(50)
    other = rows.copy()
    other[:, :FIRST] += 1  # loss, validation loss, learning rate
    other[:, FIRST + 4 :] *= 2  # gradients
    assert find_divergence(side(rows), side(other, at_once=11)) == Divergence(None, None, None)


@given(
    step=st.integers(0, 49),
    place=st.integers(0, 3),
    one=st.integers(1, 60),
    other=st.integers(1, 60),
)
def test_the_first_difference_is_found_wherever_it_is_and_however_frames_are_cut(
    step: int, place: int, one: int, other: int
) -> None:
    rows = records(50)
    changed = rows.copy()
    changed[step:, FIRST + place] += np.float32(0.25)
    found = find_divergence(side(rows, at_once=one), side(changed, at_once=other))
    name = "output_linear.bias[0]" if place == 3 else f"hidden_linear.weight[{place}, 0]"
    assert found is not None
    assert (found.step, found.parameter) == (step, name)
    assert found.difference == pytest.approx(0.25, rel=1e-5)


def test_the_largest_difference_of_that_step_is_named() -> None:
    rows = records(3)
    other = rows.copy()
    other[1, FIRST] += np.float32(0.5)
    other[1, FIRST + 2] += np.float32(2)
    found = find_divergence(side(rows), side(other))
    assert found is not None
    assert found.parameter == "hidden_linear.weight[2, 0]"


def test_only_steps_that_both_have_are_compared() -> None:
    rows = records(40)
    other = rows.copy()
    other[:10] += 1
    other[30:] += 1
    part = Side(COLUMNS, [frame(other[10:15], 10), frame(other[20:25], 20)])
    assert find_divergence(side(rows), part) == Divergence(None, None, None)
    late = Side(COLUMNS, [frame(other[12:14], 12), frame(other[30:33], 30)])
    found = find_divergence(late, side(rows))
    assert found is not None
    assert found.step == 30
    assert find_divergence(side(rows), Side(COLUMNS, [])) == Divergence(None, None, None)


def test_minus_zero_and_nan_are_bits_like_others() -> None:
    rows = records(4)
    rows[2, FIRST] = 0.0
    other = rows.copy()
    other[2, FIRST] = -0.0
    found = find_divergence(side(rows), side(other))
    assert found is not None
    assert (found.step, found.difference) == (2, 0.0)
    other[1, FIRST : FIRST + 4] = math.nan
    found = find_divergence(side(rows), side(other))
    assert found is not None
    assert found.as_json() == {
        "step": 1, "parameter": "hidden_linear.weight[0, 0]", "difference": "nan",
    }  # fmt: skip


def test_runs_whose_parameters_have_other_shapes_are_not_compared() -> None:
    columns = columns_of([("hidden_linear.weight", (4, 1))], [])
    assert find_divergence(side(records(2)), Side(columns, [])) is None
    assert columns[-1].offset + 1 != FLOATS
