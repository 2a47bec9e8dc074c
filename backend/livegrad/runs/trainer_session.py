"""The server's end of one trainer's connection: what it is still to be told, and which answers are awaited.

Knows nothing of sockets: `api.trainers` sends what `next` returns. Commands are lossless; of acknowledgements only the
newest counts.
"""

import asyncio
import time
from collections import deque
from typing import Any

from livegrad.errors import Forbidden, TrainerError

WAITING_COMMANDS = 64
Message = dict[str, Any]


class Port:
    """One trainer's mailbox, with the answers that its commands will get."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self._messages: deque[Message] = deque()
        self._acknowledged = -1  # newest step committed
        self._told = -1  # newest step that the trainer was told of
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._next_id = 1
        self._changed = asyncio.Event()
        self._closed = False
        self.heard_at = time.monotonic()  # when the trainer last sent anything

    @property
    def is_closed(self) -> bool:
        """Return whether it is of no more use."""
        return self._closed

    def say(self, message: Message) -> None:
        """Send `message`."""
        self._messages.append(message)
        self._changed.set()

    def acknowledge(self, step: int) -> None:
        """Say that every record up to `step` is committed."""
        self._acknowledged = max(self._acknowledged, step)
        self._changed.set()

    def command(self, command: Message) -> asyncio.Future[Message]:
        """Send a command; the answer is the trainer's. Raises Forbidden when too many wait already."""
        if len(self._answers) >= WAITING_COMMANDS:
            raise Forbidden(f"{WAITING_COMMANDS} commands are waiting for this run's trainer already")
        number = self._next_id
        self._next_id += 1
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        self.say({"kind": "command", "id": number, "command": command})
        return answer

    def answer(self, message: Message) -> None:
        """Hand the trainer's answer, or refusal, to whoever waits for it."""
        future = self._answers.pop(message.get("id", 0), None)
        if future is not None and not future.done():
            future.set_result(message)

    def close(self, reason: str) -> None:
        """End it: whoever still waits is told `reason`."""
        self._closed = True
        for future in self._answers.values():
            if not future.done():
                future.set_exception(TrainerError(reason))
        self._answers.clear()
        self._changed.set()

    async def next(self) -> Message | None:
        """Return what to send next, waiting for it; None once closed."""
        while not self._closed:
            if self._messages:
                return self._messages.popleft()
            if self._told < self._acknowledged:
                self._told = self._acknowledged
                return {"kind": "ack", "step": self._told}
            self._changed.clear()
            await self._changed.wait()
        return None
