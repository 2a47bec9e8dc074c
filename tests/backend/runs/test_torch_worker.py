"""A function in a process of its own: its bytes, or why there are none."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from livegrad.errors import TrainerError
from livegrad.runs.launcher import Launcher
from livegrad.runs.torch_worker import work
from tests.backend.runs.forkservers import forkservers

HERE = "tests.backend.process_tasks"


@pytest_asyncio.fixture
async def launcher(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Launcher]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    made = Launcher()
    yield made
    await made.close()


async def test_a_call_returns_its_bytes_from_its_process(launcher: Launcher) -> None:
    answers = await asyncio.gather(
        *(work(launcher, f"{HERE}:doubled", bytes([n]) * 300_000) for n in range(3))
    )
    assert answers == [bytes([n]) * 600_000 for n in range(3)]


async def test_many_that_end_while_others_begin_leave_their_forkserver_alive(
    launcher: Launcher,
) -> None:
    await launcher.warm_up()
    [forkserver] = forkservers()
    for _ in range(5):
        forkserver.suspend()  # then everything happens in one turn of it
        calls = [
            asyncio.create_task(work(launcher, f"{HERE}:doubled", bytes([n]))) for n in range(12)
        ]
        await asyncio.sleep(0.05)
        forkserver.resume()
        await asyncio.sleep(0.05)
        forkserver.suspend()  # what they said, and their ends, wait for it together
        await asyncio.sleep(0.3)
        forkserver.resume()
        assert await asyncio.gather(*calls) == [bytes([n]) * 2 for n in range(12)]
    assert forkservers() == [forkserver]


async def test_an_error_in_a_call_is_raised_with_its_text(launcher: Launcher) -> None:
    with pytest.raises(TrainerError, match=r"ZeroDivisionError: .* by zero"):
        await work(launcher, f"{HERE}:divided", 1, 0)


async def test_a_call_whose_process_dies_raises_an_error(launcher: Launcher) -> None:
    with pytest.raises(TrainerError, match="ended without an answer"):
        await work(launcher, f"{HERE}:ended")


async def test_a_call_that_takes_too_long_is_killed(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await launcher.warm_up()
    monkeypatch.setattr("livegrad.runs.torch_worker.WORK_SECS", 0.2)
    with pytest.raises(TrainerError, match="did not answer"):
        await work(launcher, f"{HERE}:slept")


async def test_a_call_that_is_lost_with_its_forkserver_is_retried_once(
    launcher: Launcher, tmp_path: Path
) -> None:
    working = asyncio.create_task(
        work(launcher, f"{HERE}:slept_the_first_time", str(tmp_path / "been"))
    )
    while not (tmp_path / "been").exists():  # noqa: ASYNC110  # another process says so by a file
        await asyncio.sleep(0.01)
    [forkserver] = forkservers()
    os.kill(forkserver.pid, signal.SIGKILL)
    assert await working == b"awake"


async def test_what_a_function_prints_does_not_disturb_its_answer(launcher: Launcher) -> None:
    assert await work(launcher, f"{HERE}:printed") == b"quiet"
