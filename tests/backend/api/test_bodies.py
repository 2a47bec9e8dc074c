import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from livegrad.api import bodies, limits
from livegrad.api.refusals import Refusal

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_json_passes(plain: Any) -> None:
    bodies.check(json.dumps(plain, ensure_ascii=False).encode())
    bodies.check(json.dumps(plain).encode())


def is_refused(body: bytes) -> bool:
    try:
        bodies.check(body)
    except Refusal as refusal:
        return refusal.status == 400
    return False


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_refused_unless_they_are_json(body: bytes) -> None:
    if not is_refused(body):
        json.loads(body.decode())


@pytest.mark.parametrize("bracket", ["[]", "{}"])
def test_brackets_are_counted_to_the_limit(bracket: str) -> None:
    def nested(depth: int) -> bytes:
        opening = bracket[0] if bracket == "[]" else '{"a":'
        return (opening * depth + "1" + bracket[1] * depth).encode()

    bodies.check(nested(limits.BODY_DEPTH))
    with pytest.raises(Refusal, match="brackets"):
        bodies.check(nested(limits.BODY_DEPTH + 1))
    with pytest.raises(Refusal, match="brackets"):
        bodies.check(nested(10_000))


def test_brackets_within_a_text_do_not_count() -> None:
    bodies.check(json.dumps("[" * 1000 + '\\"{').encode())


async def whole(*messages: Message) -> bytes:
    waiting = list(messages)

    async def receive() -> Message:
        return waiting.pop(0)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}
    body = await bodies.read(scope, receive)
    assert (await bodies.again(body, receive)())["body"] == body
    return body


async def test_a_body_in_pieces_is_put_together() -> None:
    first = {"type": "http.request", "body": b'{"a"', "more_body": True}
    last = {"type": "http.request", "body": b": 1}", "more_body": False}
    assert await whole(first, last) == b'{"a": 1}'


async def test_a_body_that_is_cut_short_is_refused() -> None:
    first = {"type": "http.request", "body": b"{}", "more_body": True}
    with pytest.raises(Refusal, match="2 bytes"):
        await whole(first, {"type": "http.disconnect"})
