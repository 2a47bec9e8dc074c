"""Who trains which run.

Begun in the log first, started from what the log holds, replaced when it is lost or silent.
"""

import asyncio
import json
from pathlib import Path

import pytest

from livegrad.config import RunConfig
from livegrad.errors import ProtocolError, StaleEpoch, TrainerError
from livegrad.lifecycle.states import State
from livegrad.runs import supervisor as module
from livegrad.runs import trainer_session
from livegrad.runs.end import End
from tests.backend.runs.simulated_trainers import COLUMNS
from tests.backend.runs.test_hub import HubUnderTest, opened


def hello(epoch: int) -> str:
    columns = [column.as_json() for column in COLUMNS]
    return json.dumps({"kind": "hello", "epoch": epoch, "columns": columns, "data": {}})


async def lose_trainer(tested: HubUnderTest, run: str) -> None:
    """Let the run's trainer be killed, as the operating system and its connection tell it."""
    work = tested.launcher.works[run]
    work.is_alive = False
    work.part(tested.hub)
    work.report(End(-9))


async def test_a_lost_trainer_is_replaced_by_one_that_goes_on_from_the_log(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        await tested.command(run, "step", count=4)
        await lose_trainer(tested, run.id)
        await tested.until(lambda: run.life.epoch == 2)
        await tested.stands(run, State.PAUSED)
        assert tested.launcher.works[run.id].step == 4
        assert (await tested.command(run, "step", count=1))["step"] == 5


async def test_what_was_sent_to_a_lost_trainer_is_answered_with_why_and_the_rest_waits(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        tested.launcher.works[run.id].obeys = False
        asking = asyncio.create_task(tested.command(run, "play"))
        await tested.until(lambda: any(w.epoch == 1 for w in run.commands._waiting.values()))
        await lose_trainer(tested, run.id)
        with pytest.raises(TrainerError, match="SIGKILL"):
            await asyncio.wait_for(asking, 5)
        assert (await tested.command(run, "play"))["state"] == "paused"


async def test_a_trainer_that_is_connected_and_silent_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PING_SECS", 0.02)
    monkeypatch.setattr(trainer_session, "UNANSWERED_PINGS", 3)
    async with opened(tmp_path) as tested:
        run = await tested.default()
        tested.launcher.works[run.id].is_alive = False  # frozen: it neither reads nor sends
        await tested.until(lambda: run.life.epoch >= 2)


async def test_a_trainer_of_an_earlier_epoch_or_with_another_secret_is_turned_away(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        old = tested.launcher.works[run.id].secret
        await lose_trainer(tested, run.id)
        await tested.until(lambda: run.life.epoch == 2)
        await tested.stands(run, State.PAUSED)
        with pytest.raises(StaleEpoch):
            tested.hub.supervisor.admit(run, old)
        with pytest.raises(StaleEpoch, match="epoch 1 was replaced by epoch 2"):
            await tested.hub.supervisor.greet(run, hello(1))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"kind": "pong"}', "hello"),
        ("nonsense", "received"),
        (hello(1).replace('"weight"', '"weights"'), "columns"),
        (hello(1).replace('"data": {}', '"data": {"train": [1]}'), "data"),
    ],
)
async def test_an_invalid_hello_is_refused(tmp_path: Path, text: str, words: str) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        with pytest.raises(ProtocolError, match=words):
            await tested.hub.supervisor.greet(run, text)
        assert (await tested.command(run, "step", count=1))["step"] == 1


async def test_a_trainer_that_breaks_the_protocol_fails_its_own_run(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        other = await tested.hub.create(RunConfig())
        await tested.stands(other, State.PAUSED)
        work = tested.launcher.works[run.id]
        assert work.session is not None
        tested.hub.supervisor.broke(run, work.session, ProtocolError("expected columns"))
        await tested.stands(run, State.FAILED)
        assert "broke the protocol: expected columns" in (run.life.reason or "")
        assert (await tested.command(other, "step", count=1))["step"] == 1


async def test_a_server_that_ends_leaves_interrupted_runs_that_say_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        await tested.command(run, "play")
    async with opened(tmp_path) as tested:
        [found] = tested.hub.runs()
        assert found.id == run.id
        assert (found.life.shown, found.life.reason) == (
            State.INTERRUPTED,
            "the server was stopped",
        )


async def test_a_run_whose_last_record_is_gone_fails_with_a_reason(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        await tested.command(run, "step", count=4)
        with tested.log.transaction() as db:
            db.execute("DELETE FROM chunks WHERE run = ?", (run.id,))
        await lose_trainer(tested, run.id)
        await tested.stands(run, State.FAILED)
        assert "is no longer in the run log" in (run.life.reason or "")


async def test_a_row_that_cannot_be_written_interrupts_its_run_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as tested:
        run = await tested.default()
        other = await tested.hub.create(RunConfig())
        await tested.stands(other, State.PAUSED)
        with tested.log.transaction() as db:
            db.execute(
                "CREATE TRIGGER breaks BEFORE UPDATE ON runs "
                f"WHEN new.id = '{run.id}' BEGIN SELECT raise(ABORT, 'made up'); END"
            )
        await lose_trainer(tested, run.id)
        await tested.stands(run, State.INTERRUPTED)
        assert "its row in the run log cannot be written" in (run.life.reason or "")
        assert (await tested.command(other, "step", count=1))["step"] == 1
        with tested.log.transaction() as db:
            db.execute("DROP TRIGGER breaks")
