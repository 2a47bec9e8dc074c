"""Frames and columns round-trip; whatever else comes in is a ProtocolError and nothing worse."""

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegrad.errors import ProtocolError
from livegrad.protocol import (
    HEADER,
    PHASE,
    RECORDS,
    Column,
    Frame,
    Slot,
    check_layout,
    columns_from_json,
    columns_of,
    decode,
    encode,
    join,
    plain_number,
    plain_numbers,
    record_bytes,
)

FRAMES = st.builds(
    lambda kind, count, first, epoch, skipped, time, length: (
        Frame(
            kind,
            1 if kind == PHASE else count,
            first,
            epoch,
            skipped,
            time,
            b"abcd" * length * count,
        )
        if kind == RECORDS
        else Frame(kind, 1, first, epoch, skipped, time, b"abcd" * length)
    ),
    st.sampled_from([RECORDS, PHASE]),
    st.integers(1, 50),
    st.integers(0, 2**63),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.floats(0, 2e11),
    st.integers(1, 8),
)


@given(FRAMES)
def test_a_frame_survives_the_wire(frame: Frame) -> None:
    data = encode(frame)
    assert len(data) == 32 + len(frame.payload)
    assert decode(data) == frame
    assert decode(data, frame.record_bytes) == frame


def test_the_header_is_laid_out_as_the_contract_says() -> None:
    data = encode(Frame(RECORDS, 3, 2**40 + 7, 5, 9, 1.5, bytes(24)))
    assert data[:4] == b"LG\x01\x01"
    assert struct.unpack_from("<I", data, 4) == (3,)
    assert struct.unpack_from("<Q", data, 8) == (2**40 + 7,)
    assert struct.unpack_from("<II", data, 16) == (5, 9)
    assert struct.unpack_from("<d", data, 24) == (1.5,)


@given(FRAMES, st.data())
def test_a_mutated_frame_is_read_or_refused_but_never_worse(
    frame: Frame, data: st.DataObject
) -> None:
    bytes_ = bytearray(encode(frame))
    for _ in range(data.draw(st.integers(1, 4))):
        bytes_[data.draw(st.integers(0, len(bytes_) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(bytes_)))
    for mutated in (bytes(bytes_), bytes(bytes_[:cut]), bytes(bytes_) + b"x"):
        try:
            found = decode(mutated, frame.record_bytes)
        except ProtocolError:
            continue
        else:
            assert len(found.payload) == found.count * frame.record_bytes
            assert encode(found) == mutated


def test_a_refusal_names_what_was_expected_and_what_was_received() -> None:
    good = encode(records(0, 2))
    for bad in (b"", good[:31], b"GL" + good[2:], good[:3] + b"\x07" + good[4:], good[:-1]):
        with pytest.raises(ProtocolError, match=r"expected .*received"):
            decode(bad)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    if not data.startswith(b"LG\x01"):
        with pytest.raises(ProtocolError):
            decode(data)


def records(first: int, count: int) -> Frame:
    payload = struct.pack(
        f"<{2 * count}f", *(v for i in range(count) for v in (first + i, -first - i))
    )
    return Frame(RECORDS, count, first, 1, 0, 1.0, payload)


@given(st.integers(0, 100), st.integers(1, 40), st.data())
def test_a_part_of_a_frame_is_the_records_asked_for(
    first: int, count: int, data: st.DataObject
) -> None:
    whole = records(first, count)
    low = data.draw(st.integers(first, whole.last))
    high = data.draw(st.integers(low, whole.last))
    assert whole.since(low).until(high) == records(low, high - low + 1)
    assert whole.newest() == records(whole.last, 1)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.integers(0, 5))
def test_joined_frames_are_one_frame_of_all_their_records(counts: list[int], skipped: int) -> None:
    starts = [sum(counts[:i]) for i in range(len(counts))]
    joined = join([records(s, c) for s, c in zip(starts, counts, strict=True)], skipped)
    whole = records(0, sum(counts))
    assert (joined.payload, joined.count, joined.first) == (whole.payload, whole.count, 0)
    assert joined.skipped == skipped


PARAMETERS = [("a.weight", (3, 1)), ("a.bias", (3,)), ("b.weight", (1, 3)), ("b.bias", (1,))]


def test_columns_lie_side_by_side_in_named_parameters_order() -> None:
    columns = columns_of(PARAMETERS, [Slot("step", True), Slot("exp_avg", False)])
    check_layout(columns)
    assert [c.role for c in columns] == [
        *["scalar"] * 3, *["parameter"] * 4, *["gradient"] * 4, *["state"] * 8
    ]  # fmt: skip
    assert record_bytes(columns) == 4 * (3 + 10 + 10 + 4 + 10)
    assert columns_from_json(json.loads(json.dumps([c.as_json() for c in columns]))) == columns


@pytest.mark.parametrize(
    "plain",
    [
        None,
        {},
        "columns",
        [None],
        [{"role": "parameter"}],
        [{"role": "weights", "name": "a", "shape": [], "offset": 0}],
        [{"role": "parameter", "name": 3, "shape": [], "offset": 0}],
        [{"role": "parameter", "name": "a", "shape": 3, "offset": 0}],
        [{"role": "parameter", "name": "a", "shape": [-1], "offset": 0}],
        [{"role": "parameter", "name": "a", "shape": ["3"], "offset": 0}],
        [{"role": "parameter", "name": "a", "shape": [], "offset": "0"}],
        [{"role": "state", "name": "a", "shape": [], "offset": 0, "slot": 3}],
    ],
)
def test_what_are_no_columns_is_refused_in_words(plain: Any) -> None:
    with pytest.raises(ProtocolError, match="expected"):
        columns_from_json(plain)


def test_columns_with_a_gap_or_without_scalars_are_refused() -> None:
    columns = columns_of(PARAMETERS, [])
    moved = Column("parameter", "c", (1,), columns[-1].offset + 100)
    for bad in (columns[1:], (*columns, moved), (*columns, Column("parameter", "c", (2**40,), 23))):
        with pytest.raises(ProtocolError, match="expected"):
            check_layout(bad)


@given(st.floats(width=32))
def test_numbers_in_json_are_the_same_numbers(value: float) -> None:
    told = plain_number(value)
    text = json.dumps(told, allow_nan=False)
    back = float(json.loads(text))
    assert struct.pack("<f", back) == struct.pack("<f", value) or value != value
    assert isinstance(told, str) == (value != value or value in (float("inf"), float("-inf")))
    assert plain_numbers([[value], 3]) == [[told], 3]


def test_the_header_is_32_bytes() -> None:
    assert HEADER.size == 32
