import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegrad.errors import ProtocolError
from livegrad.protocol import (
    MAX_TRAINER_MESSAGE_BYTES,
    Column,
    check_layout,
    columns_of,
)
from livegrad.runs.trainer_messages import message

FAILED = {"kind": "failed", "reason": "it ran out of memory"}
LAYOUT = columns_of([("hidden_linear.weight", (13, 1)), ("hidden_linear.bias", (13,))], [])
END = sum(column.size for column in LAYOUT)


def test_a_report_comes_back_with_the_fields_of_its_kind_alone() -> None:
    assert message(json.dumps(FAILED | {"more": 1})).model_dump() == FAILED


@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_an_invalid_report_raises_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        message(text)


@given(st.sampled_from(sorted(FAILED)), st.none() | st.integers() | st.lists(st.integers()))
def test_a_field_of_another_type_is_named(key: str, value: object) -> None:
    with pytest.raises(ProtocolError, match=r"reason|kind|message"):
        message(json.dumps(FAILED | {key: value}))


def test_a_layout_of_ours_is_one() -> None:
    check_layout(LAYOUT)


@pytest.mark.parametrize(
    "columns",
    [
        (),
        LAYOUT[1:],
        LAYOUT[:3] + LAYOUT[4:],
        LAYOUT[:5],
        (*LAYOUT, Column("state", "step", (), END, "step")),
        (*LAYOUT, Column("state", "hidden_linear.bias", (2,), END, "exp_avg")),
        (*LAYOUT, Column("state", "hidden_linear.bias", (13,), END)),
        (*LAYOUT, Column("scalar", "loss", (), END)),
        (*LAYOUT, Column("state", "step", (), 0, "step")),
        (*LAYOUT, Column("state", "step", (), -1, "step")),
        (*LAYOUT, Column("state", "big", (MAX_TRAINER_MESSAGE_BYTES,), END, "big")),
    ],
    ids=[
        "none",
        "no loss",
        "a gap",
        "parameters without gradients",
        "state of no parameter",
        "state of another shape",
        "state without a slot",
        "a scalar twice",
        "at the start",
        "before the start",
        "too large",
    ],
)
def test_columns_that_overlap_leave_gaps_or_are_too_large_are_refused(
    columns: tuple[Column, ...],
) -> None:
    with pytest.raises(ProtocolError):
        check_layout(columns)
