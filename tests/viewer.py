"""A viewer of a run: a plain websocket client that keeps everything it was sent.

Reads frames by the contract alone.
"""

import json
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.running import Server

HEADER = struct.Struct("<HBBIQIId")
MAGIC, VERSION = 0x474C, 1
RECORDS, PHASE = 1, 2


@dataclass(frozen=True)
class Seen:
    """A frame, as the contract lays it out."""

    kind: int
    count: int
    first: int
    epoch: int
    skipped: int
    time: float
    payload: bytes

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    def rows(self) -> Iterator[tuple[int, bytes]]:
        """Yield (step, record)."""
        length = len(self.payload) // self.count
        for place in range(self.count):
            yield self.first + place, self.payload[place * length : (place + 1) * length]


def read_frame(data: bytes) -> Seen:
    """Read one frame; all of `data` is its."""
    magic, version, kind, count, first, epoch, skipped, time = HEADER.unpack_from(data)
    assert (magic, version) == (MAGIC, VERSION)
    assert count > 0
    assert (len(data) - HEADER.size) % count == 0
    return Seen(kind, count, first, epoch, skipped, time, data[HEADER.size :])


def read_frames(data: bytes, record_bytes: int) -> Iterator[Seen]:
    """Read frames that follow each other, as GET …/records sends them."""
    while data:
        count = HEADER.unpack_from(data)[3]
        end = HEADER.size + count * record_bytes
        yield read_frame(data[:end])
        data = data[end:]


def stored(
    server: Server, run: str, record_bytes: int, first: int = 0, last: int | None = None
) -> dict[int, bytes]:
    """Return the records that GET …/records gives, by step."""
    wanted = {"from": first} | ({} if last is None else {"to": last})
    answer = server.client.get(f"/api/runs/{run}/records", params=wanted)
    assert answer.is_success, answer.text
    found: dict[int, bytes] = {}
    for frame in read_frames(answer.content, record_bytes):
        for step, row in frame.rows():
            assert step not in found, f"step {step} is doubled"
            found[step] = row
    return found


def record_bytes(server: Server, run: str) -> int:
    """Return how long a record of the run is, by its first."""
    first = server.get(f"/runs/{run}")["first_step"]
    answer = server.client.get(f"/api/runs/{run}/records", params={"from": first, "to": first})
    assert answer.is_success, answer.text
    return len(answer.content) - HEADER.size


@dataclass
class Viewer:
    """Everything that came, in order, sorted by what it was."""

    socket: ClientConnection = field(repr=False)
    frames: list[Seen] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def hello(self) -> dict[str, Any]:
        """The newest hello."""
        return next(event for event in reversed(self.events) if event["kind"] == "hello")

    @property
    def columns(self) -> list[dict[str, Any]]:
        return list(self.hello["columns"])

    def records(self) -> dict[int, bytes]:
        """Return every record seen, by step."""
        return {step: row for f in self.frames if f.kind == RECORDS for step, row in f.rows()}

    def take(self, seconds: float = 30) -> Seen | dict[str, Any]:
        """Wait for one message more."""
        data = self.socket.recv(timeout=seconds)
        if isinstance(data, bytes):
            self.frames.append(frame := read_frame(data))
            return frame
        self.events.append(event := json.loads(data))
        return dict(event)

    def take_until(self, met: Callable[[Seen | dict[str, Any]], bool]) -> Seen | dict[str, Any]:
        """Wait for the message that meets the condition."""
        while not met(message := self.take()):
            pass
        return message

    def take_step(self, step: int) -> None:
        """Wait for the record of `step`."""
        self.take_until(lambda m: isinstance(m, Seen) and m.kind == RECORDS and m.last >= step)


@contextmanager
def viewing(server: Server, run: str, query: str = "") -> Iterator[Viewer]:
    """Watch a run; everything up to the first hello has come already."""
    address = f"{server.stream_url}/api/runs/{run}/stream{query}"
    with connect(address, max_size=None, compression=None, proxy=None) as socket:
        viewer = Viewer(socket)
        viewer.take_until(lambda m: isinstance(m, dict) and m["kind"] == "hello")
        yield viewer
