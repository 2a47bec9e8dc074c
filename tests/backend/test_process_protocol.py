"""What crosses a pipe comes out as it went in, in pieces of any size; anything else is refused.

Covers process_protocol.py and assignment.py.
"""

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegrad.assignment import Address, Assignment, Origin
from livegrad.errors import ProtocolError
from livegrad.process_protocol import (
    MAX_ERROR_LETTERS,
    Call,
    Decoder,
    Ended,
    Message,
    Ready,
    Report,
    Start,
    Started,
    StartFailed,
    encode,
    in_words,
    pack,
    unpack,
)
from livegrad.protocol import Column

COLUMNS = (
    Column("scalar", "loss", (), 0),
    Column("state", "hidden.weight", (13, 1), 1, "exp_avg"),
)
RECORD = struct.pack("<3f", math.nan, -0.0, math.inf)
ASSIGNMENT = Assignment(
    Address("ws://127.0.0.1:1/", "secret", 3),
    '{"hidden": 4}',
    59.5,
    Origin(17, RECORD, COLUMNS, 0.1 + 0.2, is_own=True),
    plays=True,
    goal=20,
)
MESSAGES: list[Message] = [
    Start(1, ASSIGNMENT),
    Start(2, Call("module:function", pack(("text", 1, {"a": b"\x00\xff"})))),
    Ready(),
    Ready("ImportError: none", is_trouble=True),
    Started(1, 4711),
    StartFailed(2, "Resource temporarily unavailable"),
    Report("ValueError: no", b"\x00\xff"),
    Ended(1, -9, "it\ud800".encode(errors="replace").decode(), bytes(range(256))),
]


@given(st.integers(1, 4000))
def test_messages_come_out_as_they_went_in_whatever_the_pieces(size: int) -> None:
    data = b"".join(map(encode, MESSAGES))
    decoder, found = Decoder(), list[Message]()
    for start in range(0, len(data), size):
        found += decoder.feed(data[start : start + size])
    assert found == MESSAGES


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'{"kind": "started"}', b'{"kind": "start", "number": 1, "task": {}}'],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(Decoder().feed(struct.pack("<I", len(body)) + body))


def test_a_length_beyond_the_limit_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(ProtocolError, match="at most"):
        list(Decoder().feed(b"\xff\xff\xff\xff"))


PLAIN: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(PLAIN))
def test_arguments_come_out_as_they_went_in(arguments: list[Any]) -> None:
    assert unpack(pack(tuple(arguments))) == arguments


def test_an_argument_that_is_no_plain_value_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot pass a set"):
        pack(({1},))


def test_an_error_is_told_by_its_type_and_message_if_it_has_one_and_not_without_end() -> None:
    assert in_words(ValueError("no such thing")) == "ValueError: no such thing"
    assert in_words(AssertionError()) == "AssertionError"
    assert len(in_words(ValueError("x" * 10_000))) == MAX_ERROR_LETTERS
