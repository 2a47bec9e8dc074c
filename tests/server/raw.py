"""Requests byte by byte, as no client library would send them.

Knows nothing of what the answers mean.
"""

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SECONDS = 10.0
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` is 0 when the server closed the connection without a word."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def problem(self) -> Any:
        assert self.headers.get("content-type") == "application/problem+json", self
        return json.loads(self.body)


def head(method: str, path: str, headers: Iterable[str]) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", *headers, "", ""]).encode("latin-1")


def ask(port: int, data: bytes, address: str = "127.0.0.1") -> Answer:
    """Send `data` from `address` to itself, and read one answer."""
    with socket.create_connection((address, port), SECONDS, (address, 0)) as connection:
        connection.sendall(data)
        return read(connection, has_body=not data.startswith(b"HEAD "))


def read(connection: socket.socket, has_body: bool = True) -> Answer:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := connection.recv(65536)):
            return Answer(0)
        received += more
    first, *lines = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    body = received.partition(b"\r\n\r\n")[2]
    while (
        has_body
        and len(body) < int(headers.get("content-length", 0))
        and (more := connection.recv(65536))
    ):
        body += more
    return Answer(int(first.split()[1]), headers, body)


def get(port: int, path: str, *headers: str, address: str = "127.0.0.1") -> Answer:
    return ask(port, head("GET", path, headers), address)


def upgrade(port: int, path: str, *headers: str, address: str = "127.0.0.1") -> Answer:
    """Ask for a websocket; 101 is a yes."""
    return ask(port, head("GET", path, [*UPGRADE, *headers]), address)


def post(port: int, path: str, body: bytes, *headers: str) -> Answer:
    """Post `body` as JSON, or as `headers` say it is, to this server's own name."""
    own = [f"Host: 127.0.0.1:{port}", *headers]
    named = {line.partition(":")[0] for line in headers}
    if "Content-Type" not in named:
        own.append("Content-Type: application/json")
    if not named & {"Content-Length", "Transfer-Encoding"}:
        own.append(f"Content-Length: {len(body)}")
    return ask(port, head("POST", path, own) + body)


def frame(opcode: int, payload: bytes, *, first: int = 0x80, masked: bool = True) -> bytes:
    """Return one websocket frame; `first` holds FIN and the reserved bits.

    The mask is all zeros.
    """
    length, bit = len(payload), 0x80 if masked else 0
    size = bytes([bit | length]) if length < 126 else bytes([bit | 127]) + length.to_bytes(8, "big")
    return bytes([first | opcode]) + size + (b"\0\0\0\0" if masked else b"") + payload


def join(port: int, path: str) -> socket.socket:
    """Open a websocket and return its connection, of which nothing is read beyond the handshake."""
    connection = socket.create_connection(("127.0.0.1", port), SECONDS)
    connection.sendall(head("GET", path, [f"Host: 127.0.0.1:{port}", *UPGRADE]))
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1)
    assert received.startswith(b"HTTP/1.1 101"), received
    return connection
