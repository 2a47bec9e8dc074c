"""A websocket's connection as uvicorn runs it, with the one bound that it lacks. Knows nothing of what is sent."""

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    import asyncio

UNREAD_BYTES = 4 * 1024 * 1024  # a viewer's whole mailbox and the largest frame are far below


class Wire(WebSocketsSansIOProtocol):
    """Cuts off a peer that sends pings and never reads the answers: they are written whether there is room or not."""

    transport: "asyncio.Transport"

    def handle_ping(self) -> None:
        """Answer a ping."""
        super().handle_ping()
        if self.transport.get_write_buffer_size() > UNREAD_BYTES:
            self.transport.abort()
