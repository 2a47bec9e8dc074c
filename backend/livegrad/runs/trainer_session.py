"""The server's end of one trainer's connection: what it is still to be told, and how much of what it sent waits.

Knows nothing of sockets: `api.trainers` sends what `next` returns. Commands are lossless; of acknowledgements only the
newest counts.
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any

from livegrad.protocol import Frame
from livegrad.runs.trainer_messages import Message

# beyond it, nothing more is read from the trainer until some is logged
UNLOGGED_BYTES = 16 * 1024 * 1024
UNANSWERED_PINGS = 5  # so many, one every few seconds: the trainer is silent
_ids = count(1)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something the trainer sent: a frame with its bytes as they came, or a message.

    `number`: its place among the messages of the trainer's epoch, from 1; None for what may come again.
    """

    number: int | None
    frame: Frame | None = None
    encoded: bytes = b""
    message: Message | None = None


class TrainerSession:
    """One connection of a trainer of `epoch`. Belongs to the event loop's thread."""

    def __init__(self, epoch: int) -> None:
        self.id = next(_ids)
        self.epoch = epoch
        self.is_closed = False  # of no more use
        self.reason = ""  # why it was closed
        self.unanswered_pings = 0
        self.has_room = asyncio.Event()  # may more be read from the trainer?
        self.has_room.set()
        self._unlogged_bytes = 0
        self._number = 0  # of the last message that came
        self._messages: deque[dict[str, Any]] = deque()
        self._acknowledged = (-1, 0)  # newest step and message that are logged
        self._told = (-1, 0)  # of which the trainer was told
        self._changed = asyncio.Event()

    # -- to the trainer

    def welcome(self, step: int, seq: int) -> None:
        """Say what is logged: the trainer goes on from there, and its messages are counted from there."""
        self._number = seq
        self._acknowledged = self._told = (step, seq)
        self.say({"kind": "welcome", "step": step, "seq": seq})

    def say(self, message: dict[str, Any]) -> None:
        """Send `message`."""
        self._messages.append(message)
        self._changed.set()

    def ping(self) -> bool:
        """Ask for a sign of life; return whether the trainer has given one in time, or is gone anyway."""
        if self.is_closed:
            return True
        self.unanswered_pings += 1
        self.say({"kind": "ping"})
        return self.unanswered_pings <= UNANSWERED_PINGS

    def acknowledge(self, step: int, seq: int) -> None:
        """Say that every record up to `step`, and every message up to `seq`, is logged."""
        self._acknowledged = max(self._acknowledged, (step, seq))
        self._changed.set()

    def close(self, reason: str) -> None:
        """End it."""
        self.is_closed, self.reason = True, self.reason or reason
        self._changed.set()
        self.has_room.set()

    async def next(self) -> str | None:
        """Return what to send next, waiting for it; None once closed."""
        while not self.is_closed:
            if self._messages:
                return json.dumps(self._messages.popleft())
            if self._told < self._acknowledged:
                self._told = step, seq = self._acknowledged
                return json.dumps({"kind": "ack", "step": step, "seq": seq})
            self._changed.clear()
            await self._changed.wait()
        return None

    # -- from the trainer

    def number(self, may_come_again: bool) -> int | None:
        """Return the number of the message that has come."""
        if may_come_again:
            return None
        self._number += 1
        return self._number

    def hold(self, size: int) -> None:
        """Note that `size` more bytes wait to be logged."""
        self._unlogged_bytes += size
        if self._unlogged_bytes > UNLOGGED_BYTES:
            self.has_room.clear()

    def release(self, size: int) -> None:
        """Note that `size` bytes less wait to be logged."""
        self._unlogged_bytes -= size
        if self._unlogged_bytes <= UNLOGGED_BYTES:
            self.has_room.set()
