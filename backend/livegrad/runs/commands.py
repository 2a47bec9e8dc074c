"""Commands on their way: sent to a trainer, or waiting for one; each answer goes to the command that asked for it.

Ids never come again: not after a reconnect, not after a restart of the server. Belongs to the event loop's thread.
"""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from livegrad.errors import Forbidden, LivegradError
from livegrad.runs.trainer_messages import Answer, Refusal

WAITING = 64  # commands of one run at once

Reply = Answer | Refusal


@dataclass(slots=True)
class Waiting:
    """One command. `epoch`: of the trainer that it was sent to; None: not yet. `reply`: came, and is not logged yet."""

    id: str
    command: dict[str, Any]
    future: "asyncio.Future[Reply]" = field(repr=False)
    epoch: int | None = None
    reply: Reply | None = None


class Commands:
    """The commands of one run that nobody has answered."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, command: dict[str, Any]) -> Waiting:
        """Take a command in. Raises Forbidden when too many wait already."""
        if len(self._waiting) >= WAITING:
            raise Forbidden(f"{WAITING} commands are waiting for this run's trainer already")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        waiting = Waiting(secrets.token_hex(8), command, future)
        self._waiting[waiting.id] = waiting
        return waiting

    def drop(self, waiting: Waiting) -> None:
        """Forget a command: nobody waits for its answer any more."""
        self._waiting.pop(waiting.id, None)

    def unsent(self, epoch: int) -> Iterator[Waiting]:
        """Yield what the trainer of `epoch` was not sent yet, noting that it is sent now."""
        for waiting in self._waiting.values():
            if waiting.epoch is None:
                waiting.epoch = epoch
                yield waiting

    def send_again(self, epoch: int) -> None:
        """Note that what was sent to the trainer of `epoch` may be lost. It knows by the id what it has seen."""
        for waiting in self._waiting.values():
            if waiting.epoch == epoch:
                waiting.epoch = None

    def heard(self, reply: Reply) -> None:
        """Note a reply that is not logged yet."""
        if (waiting := self._waiting.get(reply.id)) is not None:
            waiting.reply = reply

    def answer(self, reply: Reply) -> None:
        """Give a reply to whoever asked, if somebody still waits."""
        waiting = self._waiting.pop(reply.id, None)
        if waiting is not None and not waiting.future.done():
            waiting.future.set_result(reply)

    def fail(self, error: LivegradError, only_sent: bool = False) -> None:
        """Tell whoever waits that there will be no answer; `only_sent`: not those that wait for a trainer."""
        for waiting in list(self._waiting.values()):
            if waiting.epoch is not None or not only_sent:
                self._end(waiting, error)

    def while_unlogged(self, error: LivegradError) -> None:
        """While nothing can be logged: give `pause` its answer, if it has come; tell the others why they get none."""
        for waiting in list(self._waiting.values()):
            if waiting.command["kind"] != "pause":
                self._end(waiting, error)
            elif waiting.reply is not None:
                self.answer(waiting.reply)

    def _end(self, waiting: Waiting, error: LivegradError) -> None:
        self.drop(waiting)
        if not waiting.future.done():
            waiting.future.set_exception(error)
