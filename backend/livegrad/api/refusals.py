"""Refuses a request before any route, with RFC 9457 problem details; websockets before the upgrade.

Knows nothing of the reasons.
"""

import json
from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

NOT_ALLOWED = 4403  # for servers that cannot refuse an upgrade with a status
REASON_BYTES = 123  # the room in a close frame


class Refusal(Exception):
    """The status and the text of a refusal: what was expected and what was received."""

    kind = "application/problem+json"  # of the body

    def __init__(
        self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail = status, title, detail
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """Return the problem details."""
        plain = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        return json.dumps(plain).encode()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the refusal as the answer."""
        prefix = "http.response"
        if scope["type"] == "websocket":
            await receive()  # websocket.connect
            if "websocket.http.response" not in scope.get("extensions", {}):
                await send({"type": "websocket.close", "code": NOT_ALLOWED, "reason": self.title})
                return
            prefix = "websocket.http.response"
        body = self.body()
        await send(
            {"type": f"{prefix}.start", "status": self.status, "headers": self._raw_headers(body)}
        )
        await send({"type": f"{prefix}.body", "body": body})

    def _raw_headers(self, body: bytes) -> list[tuple[bytes, bytes]]:
        headers = {
            "content-type": self.kind,
            "content-length": str(len(body)),
            **self.headers,
        }
        return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def reason(text: object) -> str:
    """Return the part of `text` that fits into a websocket's close frame."""
    return str(text).encode(errors="replace")[:REASON_BYTES].decode(errors="ignore")
