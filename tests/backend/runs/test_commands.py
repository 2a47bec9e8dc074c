"""Commands on their way.

Each answer goes to the command that asked, once; nobody waits for ever.
"""

import asyncio

import pytest

from livegrad.errors import Forbidden, LogError, TrainerError
from livegrad.lifecycle.states import State
from livegrad.runs.commands import WAITING, Commands, Waiting
from livegrad.runs.trainer_messages import Answer


def answer(waiting: Waiting, step: int = 0) -> Answer:
    return Answer(
        kind="answer",
        id=waiting.id,
        applied_at_step=step,
        state=State.PAUSED,
        phase="step",
        step=step,
    )


async def test_each_command_gets_its_own_answer_in_whatever_order_they_come() -> None:
    commands = Commands()
    waiting = [commands.add({"kind": kind}) for kind in ("pause", "play", "step")]
    for place in (2, 0, 1):
        commands.answer(answer(waiting[place], place))
    assert [(await each.future).model_dump()["step"] for each in waiting] == [0, 1, 2]
    assert len(commands) == 0


async def test_an_answer_to_a_command_of_an_earlier_server_is_nobodys() -> None:
    before, now = Commands(), Commands()
    old, new = before.add({"kind": "step"}), now.add({"kind": "pause"})
    now.answer(answer(old))
    assert not new.future.done()
    assert len(now) == 1


async def test_a_command_is_sent_once_to_each_trainer_and_again_after_a_reconnect() -> None:
    commands = Commands()
    waiting = commands.add({"kind": "play"})
    assert list(commands.unsent(3)) == [waiting]
    assert list(commands.unsent(3)) == []
    commands.send_again(2)
    assert list(commands.unsent(3)) == []
    commands.send_again(3)
    assert list(commands.unsent(3)) == [waiting]
    commands.drop(waiting)


async def test_whoever_waits_when_the_trainer_ends_is_told_why_and_the_others_wait_on() -> None:
    commands = Commands()
    sent = commands.add({"kind": "play"})
    list(commands.unsent(1))
    unsent = commands.add({"kind": "step"})
    commands.fail(TrainerError("it was killed"), only_sent=True)
    with pytest.raises(TrainerError, match="killed"):
        await sent.future
    assert list(commands.unsent(2)) == [unsent]
    commands.fail(TrainerError("it was killed"))
    with pytest.raises(TrainerError, match="killed"):
        await unsent.future
    assert len(commands) == 0


async def test_commands_are_bounded() -> None:
    commands = Commands()
    waiting = [commands.add({"kind": "pause"}) for _ in range(WAITING)]
    with pytest.raises(Forbidden, match="waiting"):
        commands.add({"kind": "pause"})
    commands.answer(answer(waiting[0]))
    commands.add({"kind": "pause"})
    commands.fail(TrainerError("over"))
    await asyncio.gather(*(each.future for each in waiting), return_exceptions=True)


async def test_while_nothing_can_be_logged_a_pause_is_answered_and_the_rest_is_told_why() -> None:
    commands = Commands()
    pause, early, step = (commands.add({"kind": kind}) for kind in ("pause", "pause", "step"))
    commands.heard(answer(pause, 9))
    commands.while_unlogged(LogError("the disk is full"))
    assert (await pause.future).id == pause.id
    with pytest.raises(LogError, match="full"):
        await step.future
    assert not early.future.done()
    commands.drop(early)


async def test_an_answer_that_comes_after_its_asker_has_gone_is_let_pass() -> None:
    commands = Commands()
    waiting = commands.add({"kind": "play"})
    waiting.future.cancel()
    commands.answer(answer(waiting))
    commands.answer(answer(waiting))
    assert len(commands) == 0
