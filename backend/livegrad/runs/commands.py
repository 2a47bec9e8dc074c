"""Keeps one run's unanswered commands and gives each answer to the caller that waits for it.

Ids are never reused, neither after a reconnect nor after a restart of the server. Only the event
loop's thread may use this module.
"""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from livegrad.errors import Forbidden, LivegradError
from livegrad.runs.trainer_messages import Answer, Refusal

WAITING = 64  # commands of one run that may wait at once

Reply = Answer | Refusal


@dataclass(slots=True)
class Waiting:
    """One command.

    `epoch` is that of the trainer to which it was sent, or None if it was not sent yet. `reply` is
    a reply that is not logged yet.
    """

    id: str
    command: dict[str, Any]
    future: "asyncio.Future[Reply]" = field(repr=False)
    epoch: int | None = None
    reply: Reply | None = None


class Commands:
    """The unanswered commands of one run."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, command: dict[str, Any]) -> Waiting:
        """Add a command. Raises Forbidden when too many are waiting."""
        if len(self._waiting) >= WAITING:
            raise Forbidden(f"{WAITING} commands are already waiting for this run's trainer")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        waiting = Waiting(secrets.token_hex(8), command, future)
        self._waiting[waiting.id] = waiting
        return waiting

    def drop(self, waiting: Waiting) -> None:
        """Remove a command whose caller no longer waits."""
        self._waiting.pop(waiting.id, None)

    def unsent(self, epoch: int) -> Iterator[Waiting]:
        """Yield the commands not sent to the trainer of `epoch` yet, and mark them as sent."""
        for waiting in self._waiting.values():
            if waiting.epoch is None:
                waiting.epoch = epoch
                yield waiting

    def send_again(self, epoch: int) -> None:
        """Mark the commands sent to the trainer of `epoch` as unsent, since they may be lost.

        The trainer recognizes repeated commands by their ids.
        """
        for waiting in self._waiting.values():
            if waiting.epoch == epoch:
                waiting.epoch = None

    def heard(self, reply: Reply) -> None:
        """Store a reply that is not logged yet."""
        if (waiting := self._waiting.get(reply.id)) is not None:
            waiting.reply = reply

    def answer(self, reply: Reply) -> None:
        """Give a reply to the caller of its command, if the caller still waits."""
        waiting = self._waiting.pop(reply.id, None)
        if waiting is not None and not waiting.future.done():
            waiting.future.set_result(reply)

    def fail(self, error: LivegradError, only_sent: bool = False) -> None:
        """Tell the waiting callers that there will be no answer.

        With `only_sent`, commands that were not sent yet go on waiting for a trainer.
        """
        for waiting in list(self._waiting.values()):
            if waiting.epoch is not None or not only_sent:
                self._end(waiting, error)

    def while_unlogged(self, error: LivegradError) -> None:
        """Answer what can be answered while nothing can be logged: a `pause` whose reply has come.

        The callers of other commands get `error`.
        """
        for waiting in list(self._waiting.values()):
            if waiting.command["kind"] != "pause":
                self._end(waiting, error)
            elif waiting.reply is not None:
                self.answer(waiting.reply)

    def _end(self, waiting: Waiting, error: LivegradError) -> None:
        self.drop(waiting)
        if not waiting.future.done():
            waiting.future.set_exception(error)
