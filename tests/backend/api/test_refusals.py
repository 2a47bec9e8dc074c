import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from livegrad.api.refusals import NOT_ALLOWED, REASON_BYTES, Refusal, reason


@given(st.text(st.characters()))
def test_a_reason_fits_a_close_frame(text: str) -> None:
    fitted = reason(text)
    assert len(fitted.encode()) <= REASON_BYTES
    assert text.encode(errors="replace").decode().startswith(fitted)


async def answered(scope: dict[str, Any]) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await Refusal(401, "Token needed", "expected a token", {"www-authenticate": "Bearer"}).answer(
        scope, receive, send
    )
    return sent


async def test_a_request_is_answered_with_the_problem() -> None:
    start, body = await answered({"type": "http"})
    assert (start["type"], start["status"]) == ("http.response.start", 401)
    assert (b"www-authenticate", b"Bearer") in start["headers"]
    assert json.loads(body["body"])["detail"] == "expected a token"


async def test_a_websocket_is_answered_before_the_upgrade() -> None:
    start, _ = await answered({"type": "websocket", "extensions": {"websocket.http.response": {}}})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)


async def test_where_an_upgrade_cannot_be_refused_the_websocket_is_closed() -> None:
    (close,) = await answered({"type": "websocket"})
    assert close == {"type": "websocket.close", "code": NOT_ALLOWED, "reason": "Token needed"}
