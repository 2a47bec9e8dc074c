"""What a trainer sends is checked before it is logged, and shown after it.

Whatever is wrong with it.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from livegrad.config import RunConfig
from livegrad.errors import LogError, ProtocolError, StaleEpoch
from livegrad.lifecycle.states import State
from livegrad.protocol import PHASE, RECORDS, Frame, decode, encode
from livegrad.runs.ingest import unlogged
from livegrad.runs.run import LiveRun
from livegrad.runs.trainer_session import TrainerSession
from tests.backend.runs.simulated_trainers import RECORD, record
from tests.backend.runs.test_hub import HubUnderTest, opened


@dataclass
class Trainer:
    """A trainer's connection, over which the test itself speaks."""

    tested: HubUnderTest
    run: LiveRun
    session: TrainerSession

    def say(self, message: bytes | str | dict[str, Any]) -> None:
        data = json.dumps(message) if isinstance(message, dict) else message
        self.tested.hub.supervisor.ingest.receive(self.run, self.session, data)


@pytest_asyncio.fixture
async def trainer(tmp_path: Path) -> AsyncIterator[Trainer]:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        await tested.until(lambda: run.step == 0)
        work = tested.launcher.works[run.id]
        assert work.session is not None
        yield Trainer(tested, run, work.session)


def frame(first: int, count: int = 1, epoch: int = 1, kind: int = RECORDS) -> bytes:
    payload = b"".join(record(1.0, 0.1, first + place) for place in range(count))
    return encode(Frame(kind, count, first, epoch, 0, 1.0, payload))


def status(**changes: Any) -> dict[str, Any]:
    said = {
        "kind": "state", "state": "paused", "phase": "step", "step": 0, "loss": 1.0,
        "validation_loss": 1.0, "lr": 0.5, "pace": None, "grad_states": ["fresh"],
    }  # fmt: skip
    return said | changes


async def test_records_are_shown_and_acknowledged_once_they_are_logged(trainer: Trainer) -> None:
    feed = trainer.run.join(acknowledges=False)
    before = trainer.session._acknowledged
    trainer.say(frame(1, 3))
    assert trainer.run.step == 0  # not yet
    await trainer.tested.until(lambda: trainer.run.step == 3)
    await trainer.tested.until(lambda: trainer.session._acknowledged > before)
    [stored] = trainer.tested.log.frames(trainer.run.id, 1, 3)
    assert stored.payload == decode(frame(1, 3)).payload
    trainer.run.leave(feed)


async def test_a_step_that_was_left_out_fails_the_run_and_nothing_after_it_is_stored(
    trainer: Trainer,
) -> None:
    trainer.say(frame(5))
    await trainer.tested.stands(trainer.run, State.FAILED)
    assert "step" in (trainer.run.life.reason or "")
    assert list(trainer.tested.log.frames(trainer.run.id, 1, 9)) == []


async def test_a_frame_of_another_trainer_is_refused(trainer: Trainer) -> None:
    with pytest.raises(StaleEpoch, match="expected frames of epoch 1, received one of 7"):
        trainer.say(frame(1, epoch=7))


async def test_a_frame_whose_records_have_another_length_is_refused(trainer: Trainer) -> None:
    payload = bytes(RECORD.size + 4)
    with pytest.raises(ProtocolError):
        trainer.say(encode(Frame(RECORDS, 1, 1, 1, 0, 1.0, payload)))


async def test_a_connection_that_was_closed_brings_nothing_more(trainer: Trainer) -> None:
    trainer.session.close("another trainer takes over")
    with pytest.raises(StaleEpoch, match="another trainer takes over"):
        trainer.say(frame(1))


async def test_a_sign_of_life_is_no_message_to_log(trainer: Trainer) -> None:
    trainer.session.unanswered_pings = 2
    seq = trainer.session.number(may_come_again=False)
    trainer.say({"kind": "pong"})
    assert trainer.session.unanswered_pings == 0
    assert trainer.session.number(may_come_again=False) == (seq or 0) + 1


async def test_a_second_hello_is_refused(trainer: Trainer) -> None:
    with pytest.raises(ProtocolError, match="'hello' once"):
        trainer.say({"kind": "hello", "epoch": 1, "columns": [], "data": {}})


@pytest.mark.parametrize("states", [[], ["fresh", "fresh"]])
async def test_a_status_says_of_each_parameter_how_its_gradient_stands(
    trainer: Trainer, states: list[str]
) -> None:
    with pytest.raises(ProtocolError, match=f"expected 1 grad_states, received {len(states)}"):
        trainer.say(status(grad_states=states))


async def test_a_status_becomes_the_runs_once_it_is_logged(trainer: Trainer) -> None:
    trainer.say(status(state="running", lr=0.25, pace=5.0))
    assert trainer.run.life.shown is State.PAUSED
    await trainer.tested.stands(trainer.run, State.RUNNING)
    [entry] = trainer.tested.log.runs()
    assert (entry.state, entry.lr, entry.pace) == (State.RUNNING, 0.25, 5.0)


async def test_a_failure_of_the_loop_is_the_runs_with_its_reason(trainer: Trainer) -> None:
    trainer.say({"kind": "failed", "reason": "ValueError: no such loss"})
    await trainer.tested.stands(trainer.run, State.FAILED)
    assert trainer.run.life.reason == "ValueError: no such loss"


async def test_a_picture_within_an_iteration_is_shown_and_not_stored(trainer: Trainer) -> None:
    trainer.say(status(phase="forward"))
    await trainer.tested.until(lambda: trainer.run.phase == "forward")
    trainer.say(frame(0, kind=PHASE))
    await trainer.tested.until(lambda: trainer.session._unlogged_bytes == 0)
    assert sum(each.count for each in trainer.tested.log.frames(trainer.run.id, 0, 9)) == 1


async def test_what_cannot_be_stored_at_all_fails_its_run_alone(
    trainer: Trainer,
) -> None:
    other = await trainer.tested.hub.create(RunConfig())
    await trainer.tested.stands(other, State.PAUSED)
    with trainer.tested.log.transaction() as db:
        db.execute(
            "CREATE TRIGGER breaks BEFORE INSERT ON chunks "
            f"WHEN new.run = '{trainer.run.id}' BEGIN SELECT raise(ABORT, 'made up'); END"
        )
    trainer.say(frame(1))
    await trainer.tested.stands(trainer.run, State.FAILED)
    assert "cannot be stored" in (trainer.run.life.reason or "")
    assert (await trainer.tested.command(other, "step", count=1))["step"] == 1


async def test_while_nothing_can_be_logged_a_message_waits(trainer: Trainer) -> None:
    trainer.tested.log.fails = True
    trainer.say(frame(1))
    await trainer.tested.until(lambda: trainer.run.trouble is not None)
    assert trainer.run.step == 0
    trainer.tested.log.fails = False
    await trainer.tested.until(lambda: trainer.run.step == 1)
    await asyncio.sleep(0)


def test_the_error_of_whoever_asks_meanwhile_says_that_training_waits() -> None:
    error = unlogged("the disk is full")
    assert isinstance(error, LogError)
    assert str(error) == (
        "the run log cannot be written: the disk is full. Training waits, and goes on by itself"
    )
