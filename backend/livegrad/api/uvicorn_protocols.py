"""Connections as uvicorn runs them, each with the one thing that it lacks. Knows nothing of what is asked or sent."""

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from livegrad.api.refusals import Refusal
from livegrad.api.security import HEADERS

if TYPE_CHECKING:
    import asyncio

UNREAD_BYTES = 4 * 1024 * 1024  # a viewer's whole mailbox and the largest frame are far below


class Line(HttpToolsProtocol):
    """Answers what is no request, and so reaches no application, as everything else is answered."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what came by problem details, with the headers that every answer carries, and hang up."""
        body = Refusal(400, "Not a request", "expected a request of HTTP/1.1, received what is none").body()
        headers = HEADERS | {
            "Cache-Control": "no-store",
            "Content-Type": "application/problem+json",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
        lines = ["HTTP/1.1 400 Bad Request", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.transport.write("\r\n".join(lines).encode("latin-1") + body)
        self.transport.close()


class Wire(WebSocketsSansIOProtocol):
    """Cuts off a peer that sends pings and never reads the answers: they are written whether there is room or not."""

    transport: "asyncio.Transport"

    def handle_ping(self) -> None:
        """Answer a ping."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > UNREAD_BYTES:
            self.transport.abort()
