"""The server's end of a trainer's connection: lossless to the trainer, bounded from it."""

import asyncio
import json
from typing import Any

from livegrad.runs.trainer_session import UNANSWERED_PINGS, UNLOGGED_BYTES, TrainerSession


async def said(session: TrainerSession) -> dict[str, Any]:
    text = await session.next()
    assert text is not None
    found: dict[str, Any] = json.loads(text)
    return found


async def test_what_is_said_comes_in_order_before_any_acknowledgement() -> None:
    session = TrainerSession(1)
    session.acknowledge(3, 5)
    for number in range(3):
        session.say({"kind": "command", "id": number})
    assert [(await said(session)).get("id") for _ in range(3)] == [0, 1, 2]
    assert await said(session) == {"kind": "ack", "step": 3, "seq": 5}


async def test_only_the_newest_acknowledgement_is_sent_and_never_an_older_one() -> None:
    session = TrainerSession(1)
    for step in (1, 5, 3):
        session.acknowledge(step, step)
    assert await said(session) == {"kind": "ack", "step": 5, "seq": 5}
    session.acknowledge(4, 4)
    waiting = asyncio.create_task(said(session))
    session.acknowledge(5, 6)
    assert await waiting == {"kind": "ack", "step": 5, "seq": 6}


async def test_messages_are_counted_from_what_is_logged_but_those_that_may_come_again() -> None:
    session = TrainerSession(1)
    session.welcome(41, 7)
    assert await said(session) == {"kind": "welcome", "step": 41, "seq": 7}
    assert [session.number(may_come_again=again) for again in (False, True, False)] == [8, None, 9]


async def test_it_says_nothing_more_once_it_is_closed_and_keeps_the_first_reason() -> None:
    session = TrainerSession(1)
    waiting = asyncio.create_task(session.next())
    await asyncio.sleep(0)
    session.close("another trainer takes over")
    session.close("later")
    assert await waiting is None
    assert (session.is_closed, session.reason) == (True, "another trainer takes over")


async def test_nothing_more_is_read_while_too_much_waits_to_be_logged() -> None:
    session = TrainerSession(1)
    half = UNLOGGED_BYTES // 2 + 1
    session.hold(half)
    assert session.has_room.is_set()
    session.hold(half)
    assert not session.has_room.is_set()
    session.release(half)
    assert session.has_room.is_set()


async def test_a_trainer_is_silent_after_some_pings_without_a_sign_of_life() -> None:
    session = TrainerSession(1)
    assert [session.ping() for _ in range(UNANSWERED_PINGS + 1)] == [True] * UNANSWERED_PINGS + [
        False
    ]
    session.unanswered_pings = 0
    assert session.ping()


def test_no_two_sessions_have_the_same_id() -> None:
    assert len({TrainerSession(1).id for _ in range(100)}) == 100
