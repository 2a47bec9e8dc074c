"""What somebody sends who means no good, byte by byte.

Each ends by itself, whatever the server does.
"""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tests.server import raw

SECONDS = 10.0


def pour(connection: socket.socket, data: bytes, times: int, seconds: float = SECONDS) -> int:
    """Send `data` again and again, for a while.

    Return how many bytes went out before the server hung up.
    """
    end, sent = time.monotonic() + seconds, 0
    with suppress(OSError):
        for _ in range(times):
            connection.sendall(data)
            sent += len(data)
            if time.monotonic() > end:
                break
    return sent


def said(connection: socket.socket) -> bytes:
    """Return all that the server still said; a reset ends it as a farewell does."""
    found = b""
    with suppress(OSError):
        while more := connection.recv(65536):
            found += more
    return found


def huge_header(port: int, megabytes: int) -> tuple[int, bytes]:
    """Send one header without end; return how many bytes went out, and what was answered."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX: ".encode())
        sent = pour(connection, b"x" * 1_000_000, megabytes)
        return sent, said(connection)


FLOODS = {
    "empty fragments": (raw.frame(1, b"", first=0), raw.frame(0, b"", first=0), 600_000),
    "small fragments": (raw.frame(1, b"a", first=0), raw.frame(0, b"a", first=0), 300_000),
    "pings": (b"", raw.frame(9, b"?"), 600_000),
    "pongs": (b"", raw.frame(10, b""), 600_000),
    "acknowledgements": (b"", raw.frame(1, b'{"kind": "ack", "step": 1}'), 300_000),
}


def flood(port: int, run: str, kind: str) -> bytes:
    """Send a websocket's frames as fast as they go out; return the farewell.

    A close code, or nothing.
    """
    first, frame, count = FLOODS[kind]
    with raw.join(port, f"/api/runs/{run}/stream?flow=ack") as connection:
        connection.sendall(first)
        # meanwhile: a reset takes away what was not read before it
        with ThreadPoolExecutor(1) as reader:
            farewell = reader.submit(said, connection)
            pour(connection, frame * 1000, count // 1000)
            return farewell.result()


def close_code(data: bytes) -> int | None:
    """Return the code of the close frame that `data` ends with.

    Frames are walked through one by one.
    """
    at = 0
    while at + 2 <= len(data):
        opcode, length, start = data[at] & 0x0F, data[at + 1], at + 2
        if length >= 126:
            size = 2 if length == 126 else 8
            length, start = int.from_bytes(data[start : start + size], "big"), start + size
        if opcode == 8:
            return int.from_bytes(data[start : start + 2], "big")
        at = start + length
    return None
