"""How a process ended, in words; and what becomes of a start that the surroundings are against."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from livegrad.assignment import Address, Assignment
from livegrad.config import RunConfig
from livegrad.errors import NotStarted, SettingsError
from livegrad.runs.end import End
from livegrad.runs.launcher import Launcher, start_method
from tests.backend.runs.forkservers import forkservers

NOBODY = "ws://127.0.0.1:9/"  # where no server listens: a trainer looks for it for some seconds


def test_the_start_method_is_what_is_asked_for_or_the_systems_own() -> None:
    assert start_method("spawn") == "spawn"
    assert start_method(None) == start_method("")
    with pytest.raises(SettingsError, match="expected fork or spawn, received 'thread'"):
        start_method("thread")


@pytest_asyncio.fixture
async def launcher() -> AsyncIterator[Launcher]:
    made = Launcher()
    yield made
    await made.close()
    assert not [
        child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE
    ]


def assignment(url: str = NOBODY, config: str | None = None) -> Assignment:
    return Assignment(Address(url, "secret", 1), config or RunConfig().model_dump_json(), None)


class Ends:
    """How a run's processes ended, in order."""

    def __init__(self) -> None:
        self.found: asyncio.Queue[End] = asyncio.Queue()

    def __call__(self, end: End) -> None:
        self.found.put_nowait(end)

    async def next(self) -> End:
        return await asyncio.wait_for(self.found.get(), 60)


async def test_ending_a_trainer_that_is_not_there_is_nothing_to_do(launcher: Launcher) -> None:
    await launcher.end("nobody")
    await launcher.end_all()
    assert launcher.pid("nobody") is None
    assert not launcher.is_warm


async def test_a_trainer_is_started_and_ended(launcher: Launcher) -> None:
    ends = Ends()
    await launcher.start("a", assignment(), ends)
    assert launcher.is_warm
    assert psutil.pid_exists(launcher.pid("a") or 0)
    await launcher.end("a", patience_secs=0)
    assert await ends.next() == End(-signal.SIGKILL)
    assert launcher.pid("a") is None


async def test_an_error_before_there_is_a_connection_comes_with_its_words(
    launcher: Launcher,
) -> None:
    ends = Ends()
    await launcher.start("a", assignment(config='{"hidden": "many"}'), ends)
    end = await ends.next()
    assert end.is_failure
    assert end.error.startswith("ValidationError: ")


async def test_a_trainer_without_a_server_gives_up_and_that_is_no_failure(
    launcher: Launcher,
) -> None:
    ends = Ends()
    await launcher.start("a", assignment(), ends)
    end = await ends.next()
    assert (end.code, end.is_failure) == (1, False)


async def test_a_later_start_replaces_the_earlier_process_even_a_frozen_one(
    launcher: Launcher,
) -> None:
    first, second = Ends(), Ends()
    await launcher.start("a", assignment(), first)
    earlier = launcher.pid("a")
    assert earlier is not None
    os.kill(earlier, signal.SIGSTOP)
    await launcher.start("a", assignment(), second)
    assert await first.next() == End(-signal.SIGKILL)
    assert launcher.pid("a") not in (None, earlier)


async def test_a_trainer_that_is_ended_while_it_is_started_is_killed(launcher: Launcher) -> None:
    ends = Ends()
    starting = asyncio.create_task(launcher.start("a", assignment(), ends))
    await asyncio.sleep(0.05)
    await launcher.end("a")
    await starting
    assert launcher.pid("a") is None
    assert await ends.next() == End(-signal.SIGKILL)


async def test_a_lost_forkserver_is_replaced_and_its_trainers_are_lost_not_failed(
    launcher: Launcher,
) -> None:
    ends = Ends()
    await launcher.start("a", assignment(), ends)
    [forkserver] = forkservers()
    forkserver.kill()
    end = await ends.next()
    assert (end.code, end.is_failure) == (None, False)
    assert "SIGKILL" in str(end)
    await launcher.start("a", assignment(), ends)
    assert launcher.pid("a") is not None


async def test_a_forkserver_that_does_not_answer_is_left_to_what_it_has_and_replaced(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = Ends()
    await launcher.start("a", assignment(), ends)
    monkeypatch.setattr("livegrad.runs.process_starter.START_SECS", 1.0)
    [frozen] = forkservers()
    frozen.suspend()
    # a new one may start slowly
    monkeypatch.setattr("livegrad.runs.launcher.PAUSES_SECS", (0.0,) * 10)
    await launcher.start("b", assignment(), Ends())
    assert launcher.pid("b") is not None
    frozen.resume()
    assert (await ends.next()).code == 1  # by itself: nobody killed it
    assert len(forkservers()) == 2


async def test_without_the_interpreters_program_nothing_is_started_and_it_says_so(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(NotStarted, match="No such file"):
        await launcher.start("a", assignment(), Ends())


@pytest.mark.parametrize("method", ["fork", "spawn"])
async def test_a_torch_that_was_mended_is_found(
    method: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    launcher = Launcher(method)
    broken = tmp_path / "torch.py"
    broken.write_text("raise ImportError('half of it is missing')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    await launcher.warm_up()
    assert (launcher.is_warm, launcher.warm_failure) == (
        False,
        "ImportError: half of it is missing",
    )
    ends = Ends()
    await launcher.start("a", assignment(), ends)
    assert await ends.next() == End(1, "ImportError: half of it is missing")
    broken.unlink()
    await launcher.start("a", assignment(), ends)
    assert (launcher.is_warm, launcher.warm_failure) == (True, None)
    await launcher.close()


async def test_a_spawned_process_waits_warm_and_is_replaced_when_it_was_taken() -> None:
    launcher, ends = Launcher("spawn"), Ends()
    await launcher.warm_up()
    [spare] = psutil.Process().children()
    await launcher.start("a", assignment(), ends)
    assert launcher.pid("a") == spare.pid
    await launcher.end("a", patience_secs=0)
    assert await ends.next() == End(-signal.SIGKILL)
    await launcher.start("b", assignment(), ends)
    await launcher.close()
    assert not psutil.Process().children()


async def test_what_the_system_refuses_is_told_in_its_words_and_the_next_start_may_work(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    await launcher.warm_up()
    monkeypatch.setattr("livegrad.runs.launcher.PAUSES_SECS", (0.0, 0.0))
    [forkserver] = forkservers()
    usual = forkserver.rlimit(psutil.RLIMIT_NOFILE)
    forkserver.rlimit(psutil.RLIMIT_NOFILE, (3, usual[1]))
    with pytest.raises(NotStarted, match="Too many open files; close other programs"):
        await launcher.start("a", assignment(), Ends())
    forkserver.rlimit(psutil.RLIMIT_NOFILE, usual)
    await launcher.start("a", assignment(), Ends())
    assert forkservers() == [forkserver]
