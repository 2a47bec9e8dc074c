"""A viewer's connection, and how the server ends it. Knows nothing of why."""

from collections.abc import Iterable
from contextlib import suppress

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.running import Server


def view(server: Server, run: str, query: str = "") -> ClientConnection:
    return connect(
        f"{server.stream_url}/api/runs/{run}/stream{query}",
        proxy=None,
        compression=None,
        max_size=None,
    )


def how_it_closed(
    socket: ClientConnection, *messages: str | bytes | Iterable[str]
) -> tuple[int, str]:
    """Send `messages`, of which any may be the one that the server closes at, and read until it has
    closed.

    Returns:
        The code and the reason of the server's close.
    """
    with suppress(ConnectionClosed):
        for message in messages:
            socket.send(message)
        while True:
            socket.recv(timeout=10)
    close = socket.protocol.close_rcvd
    assert close is not None, "the connection was cut, not closed"
    return close.code, close.reason


def ends(socket: ClientConnection, message: bytes) -> bool:
    """Send `message`; return whether the connection ends.

    With so much unread, the close may not come through.
    """
    try:
        socket.send(message)
        while True:
            socket.recv(timeout=10)
    except ConnectionClosed:
        return True
    except TimeoutError:
        return False
