"""A trainer's mailbox at the server: commands are lossless, of acknowledgements the newest counts."""

import asyncio

import pytest

from livegrad.errors import Forbidden, TrainerError
from livegrad.runs.trainer_session import WAITING_COMMANDS, Port


async def test_each_command_gets_its_own_answer_in_whatever_order_they_come() -> None:
    port = Port(1)
    futures = [port.command({"kind": kind}) for kind in ("pause", "play", "step")]
    numbers = [(await port.next() or {})["id"] for _ in futures]
    for number in reversed(numbers):
        port.answer({"kind": "answer", "id": number})
    assert [(await future)["id"] for future in futures] == numbers


async def test_only_the_newest_acknowledgement_is_sent_and_never_an_older_one() -> None:
    port = Port(1)
    for step in (1, 5, 3):
        port.acknowledge(step)
    assert await port.next() == {"kind": "ack", "step": 5}
    port.acknowledge(4)
    waiting = asyncio.create_task(port.next())
    port.acknowledge(6)
    assert await waiting == {"kind": "ack", "step": 6}


async def test_whoever_waits_when_it_closes_is_told_why() -> None:
    port = Port(1)
    future = port.command({"kind": "play"})
    port.close("its process was killed by SIGKILL")
    with pytest.raises(TrainerError, match="SIGKILL"):
        await future
    assert await port.next() is None


async def test_commands_are_bounded() -> None:
    port = Port(1)
    futures = [port.command({"kind": "pause"}) for _ in range(WAITING_COMMANDS)]
    with pytest.raises(Forbidden, match="waiting"):
        port.command({"kind": "pause"})
    port.answer({"kind": "answer", "id": 1})
    futures.append(port.command({"kind": "pause"}))
    port.close("over")
    await asyncio.gather(*futures, return_exceptions=True)


async def test_an_answer_that_nobody_waits_for_is_nobodys() -> None:
    Port(1).answer({"kind": "answer", "id": 99})
