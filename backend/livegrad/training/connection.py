"""One websocket connection to the server that does not block its caller once it is open.

Knows nothing of the messages' contents. One thread at a time may use a connection.
"""

import contextlib
import selectors
import socket
import time
from collections import deque
from collections.abc import Mapping

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidState, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

OPEN_SECS = 10.0
READ_BYTES = 4096  # a command or an acknowledgement is far smaller
CLOSE_SECS = 1.0  # for the server's part of the closing handshake


class Lost(ConnectionError):
    """The connection is lost.

    `code` is the websocket's close code, or the HTTP status that refused it, or None if there is
    neither.
    """

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        self.code = code


class Connection:
    """An open connection. Only the constructor, `wait` and `close` wait for the server.

    Raises Lost when no connection can be made; ValueError for an address that is not ws://….
    """

    def __init__(self, url: str, headers: Mapping[str, str], max_bytes: int) -> None:
        uri = parse_uri(url)
        if uri.secure:
            raise ValueError(f"expected an address that begins with ws://, received {url!r}")
        self._protocol = ClientProtocol(uri, max_size=max_bytes)
        self._unsent: deque[bytes] = deque()  # bytes that the socket has not accepted yet
        self._fragments: list[bytes] = []  # of a message that arrives in several frames
        try:
            self._socket = socket.create_connection((uri.host, uri.port), OPEN_SECS)
        except OSError as error:
            raise Lost(str(error)) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        try:
            self._shake_hands(headers)
        except BaseException:
            self.drop()
            raise

    def _shake_hands(self, headers: Mapping[str, str]) -> None:
        request = self._protocol.connect()
        for name, value in headers.items():
            request.headers[name] = value
        self._protocol.send_request(request)
        self._flush()
        end = time.monotonic() + OPEN_SECS
        while self._protocol.state is State.CONNECTING:
            if time.monotonic() > end:
                raise Lost(f"no answer to the handshake within {OPEN_SECS:.0f} s")
            self.wait(OPEN_SECS)
            self._read()
            self._check_handshake()

    def _check_handshake(self) -> None:
        refusal = self._protocol.handshake_exc
        if isinstance(refusal, InvalidStatus):
            raise Lost(str(refusal), refusal.response.status_code)
        if isinstance(refusal, InvalidHandshake):
            raise Lost(str(refusal))

    # -- messages

    @property
    def is_choked(self) -> bool:
        """Return whether the socket has not yet accepted everything that was sent before."""
        return bool(self._unsent)

    def send(self, message: str | bytes) -> None:
        """Send a message. Bytes that the socket does not accept now are sent later. Raises Lost."""
        self._check()
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._flush()

    def receive(self) -> list[str]:
        """Return the text messages that have arrived, without waiting.

        Raises Lost once no more can arrive.
        """
        self._read()
        texts = self._texts()
        if not texts:
            self._check()
        return texts

    def wait(self, secs: float | None) -> None:
        """Wait until there is something to receive, or room to send unsent bytes.

        Waits `secs` at most; None means without limit.
        """
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._selector.modify(self._socket, wanted)
        self._selector.select(secs)

    def close(self) -> None:
        """Send the close frame, wait briefly for the server, and close the socket."""
        end = time.monotonic() + CLOSE_SECS
        with contextlib.suppress(Lost, InvalidState):
            self._protocol.send_close(1000)
            self._flush()
            while self._protocol.close_rcvd is None and (left := end - time.monotonic()) > 0:
                self.wait(left)
                self._read()
                self._check(closing=True)
        self.drop()

    def drop(self) -> None:
        """Close the socket without a closing handshake."""
        self._selector.close()
        self._socket.close()

    # -- bytes

    def _flush(self) -> None:
        self._unsent.extend(data for data in self._protocol.data_to_send() if data)
        try:
            while self._unsent:
                data = self._unsent[0]
                sent = self._socket.send(data)
                self._unsent.popleft()
                if sent < len(data):
                    self._unsent.appendleft(data[sent:])
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()
            self._protocol.receive_eof()

    def _read(self) -> None:
        try:
            while data := self._socket.recv(READ_BYTES):
                self._protocol.receive_data(data)
            self._protocol.receive_eof()
        except BlockingIOError:
            pass
        except OSError:
            self._protocol.receive_eof()
        self._flush()

    def _texts(self) -> list[str]:
        texts = []
        for frame in self._protocol.events_received():
            if not isinstance(frame, Frame) or frame.opcode not in (Opcode.TEXT, Opcode.CONT):
                continue  # the protocol answers pings, and the server sends no binary messages
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                texts.append(b"".join(self._fragments).decode())
                self._fragments.clear()
        return texts

    def _check(self, closing: bool = False) -> None:
        closed = self._protocol.close_rcvd
        if closed is not None:
            raise Lost(f"closed by the server: {closed.reason or closed.code}", closed.code)
        if self._protocol.state is State.CLOSED or (
            self._protocol.state is State.CLOSING and not closing
        ):
            raise Lost("the connection was lost")
