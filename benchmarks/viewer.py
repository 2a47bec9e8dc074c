"""A viewer that costs almost nothing: raw sockets and a minimal websocket protocol.

Many of them can watch without taking processor time from the measured server. Knows nothing of
records but their header.
"""

import base64
import os
import selectors
import socket
import struct
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from livegrad.protocol import HEADER, MAGIC

_BINARY = 2
_MASKED_TEXT = struct.Struct("!BBI")  # with a mask of zeros, so that the payload stays unchanged


@dataclass
class Viewer:
    """One attached viewer.

    `frames` and `steps` count what arrived, `skipped` what the server left out.
    """

    connection: socket.socket
    acknowledges: bool
    frames: int = 0
    steps: int = 0
    skipped: int = 0
    _kept: bytes = b""

    def read(self) -> None:
        """Read what has arrived, and acknowledge each frame of records at once."""
        data = self.connection.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the stream")
        data, at = self._kept + data, 0
        while (message := _message_at(data, at)) is not None:
            kind, start, at = message
            if kind == _BINARY:
                self._take(data[start : start + HEADER.size])
        self._kept = data[at:]

    def _take(self, header: bytes) -> None:
        magic, _, _, count, first, _, skipped, _ = HEADER.unpack(header)
        assert magic == MAGIC, header
        self.frames += 1
        self.steps += count
        self.skipped += skipped
        if self.acknowledges:
            text = b'{"kind":"ack","step":%d}' % (first + count - 1)
            self.connection.sendall(_MASKED_TEXT.pack(0x81, 0x80 | len(text), 0) + text)


def _message_at(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return (kind, payload's start, next message's start), or None if it is incomplete."""
    if len(data) < at + 2:
        return None
    length, start = data[at + 1], at + 2
    if length >= 126:
        size = 2 if length == 126 else 8
        length, start = int.from_bytes(data[start : start + size], "big"), start + size
    end = start + length
    return (data[at] & 0x0F, start, end) if len(data) >= end else None


def attach(url: str, run: str, acknowledges: bool) -> Viewer:
    """Attach a viewer to a run of the server at `url`."""
    place = urlsplit(url)
    connection = socket.create_connection((place.hostname, place.port))
    key = base64.b64encode(os.urandom(16)).decode()
    path = f"/api/runs/{run}/stream{'?flow=ack' if acknowledges else ''}"
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: "
        f"Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1)
    assert b" 101 " in head, head
    return Viewer(connection, acknowledges)


def watch(viewers: list[Viewer], seconds: float) -> float:
    """Let the viewers read for `seconds`; return the actual time."""
    begun = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for viewer in viewers:
            selector.register(viewer.connection, selectors.EVENT_READ, viewer)
        while (left := begun + seconds - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                key.data.read()
    return time.monotonic() - begun


def watch_run(url: str, run: str, count: int, acknowledges: bool, seconds: float) -> list[float]:
    """Attach `count` viewers, let them read, and return the frames per second of each.

    Call it in a separate process.
    """
    viewers = [attach(url, run, acknowledges) for _ in range(count)]
    watch(viewers, 0.5)
    before = [viewer.frames for viewer in viewers]
    spent = watch(viewers, seconds)
    for viewer in viewers:
        viewer.connection.close()
    return [(viewer.frames - had) / spent for viewer, had in zip(viewers, before, strict=True)]
