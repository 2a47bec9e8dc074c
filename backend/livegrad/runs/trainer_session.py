"""The server's end of one trainer's connection: outgoing messages and unlogged bytes.

Knows nothing of sockets: `api.trainers` sends what `next` returns. Commands are never dropped; of
acknowledgements only the newest is sent.
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any

from livegrad.protocol import Frame
from livegrad.runs.trainer_messages import Message

# above this, nothing more is read from the trainer until some of it is logged
UNLOGGED_BYTES = 16 * 1024 * 1024
# after this many unanswered pings, one every few seconds, the trainer counts as silent
UNANSWERED_PINGS = 5
_ids = count(1)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something that the trainer sent: a frame with its original bytes, or a message.

    `number` is its position among the messages of the trainer's epoch, counted from 1; None if it
    may be repeated.
    """

    number: int | None
    frame: Frame | None = None
    encoded: bytes = b""
    message: Message | None = None


class TrainerSession:
    """One connection of a trainer of `epoch`. Only the event loop's thread may use it."""

    def __init__(self, epoch: int) -> None:
        self.id = next(_ids)
        self.epoch = epoch
        self.is_closed = False  # whether the session has ended
        self.reason = ""  # why it was closed
        self.unanswered_pings = 0
        self.has_room = asyncio.Event()  # set while more may be read from the trainer
        self.has_room.set()
        self._unlogged_bytes = 0
        self._number = 0  # of the last message received
        self._messages: deque[dict[str, Any]] = deque()
        self._acknowledged = (-1, 0)  # the newest step and message that are logged
        self._told = (-1, 0)  # the newest ones that the trainer was told of
        self._changed = asyncio.Event()

    # -- to the trainer

    def welcome(self, step: int, seq: int) -> None:
        """Tell the trainer what is logged.

        It continues, and its messages are counted, from there.
        """
        self._number = seq
        self._acknowledged = self._told = (step, seq)
        self.say({"kind": "welcome", "step": step, "seq": seq})

    def say(self, message: dict[str, Any]) -> None:
        """Send `message`."""
        self._messages.append(message)
        self._changed.set()

    def ping(self) -> bool:
        """Send a ping; return False if the trainer has left too many unanswered.

        A closed session returns True.
        """
        if self.is_closed:
            return True
        self.unanswered_pings += 1
        self.say({"kind": "ping"})
        return self.unanswered_pings <= UNANSWERED_PINGS

    def acknowledge(self, step: int, seq: int) -> None:
        """Acknowledge that records up to `step` and messages up to `seq` are logged."""
        self._acknowledged = max(self._acknowledged, (step, seq))
        self._changed.set()

    def close(self, reason: str) -> None:
        """Close the session."""
        self.is_closed, self.reason = True, self.reason or reason
        self._changed.set()
        self.has_room.set()

    async def next(self) -> str | None:
        """Wait for the next text to send and return it; return None once closed."""
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
        """Return the number of the message that was received, or None if it may be repeated."""
        if may_come_again:
            return None
        self._number += 1
        return self._number

    def hold(self, size: int) -> None:
        """Add `size` bytes to those that wait to be logged."""
        self._unlogged_bytes += size
        if self._unlogged_bytes > UNLOGGED_BYTES:
            self.has_room.clear()

    def release(self, size: int) -> None:
        """Remove `size` bytes from those that wait to be logged."""
        self._unlogged_bytes -= size
        if self._unlogged_bytes <= UNLOGGED_BYTES:
            self.has_room.set()
