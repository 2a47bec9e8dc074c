"""Where processes come from, against programs that speak the protocol, well or badly.

What each wait ends with.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

import psutil
import pytest

from livegrad.errors import NotStarted
from livegrad.process_protocol import Call, pack
from livegrad.runs import process_starter as module
from livegrad.runs import python_process
from livegrad.runs.end import End
from livegrad.runs.process_starter import (
    CannotFork,
    CannotLoad,
    Child,
    ForkServer,
    Outcome,
    SpawnedProcess,
    SpawnStarter,
)

TASK = Call("module:function", pack(()))
SPEAKING = """
import os, signal, sys, time
from livegrad.process_protocol import *
decoder = Decoder()
def say(*messages):
    for message in messages:
        sys.stdout.buffer.write(encode(message))
    sys.stdout.buffer.flush()
def hear():
    while data := os.read(0, 65536):
        for message in decoder.feed(data):
            return message
    sys.exit(3)
"""


async def program(text: str) -> Process:
    """Start a program that may `say` messages and `hear` them."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", SPEAKING + text, stdin=PIPE, stdout=PIPE
    )


async def forkserver(text: str, on_lost: Any = lambda: None) -> ForkServer:
    return ForkServer(await program(text), on_lost)


async def spawned(text: str) -> SpawnedProcess:
    return SpawnedProcess(await program(text))


async def ended(child: Child) -> Outcome:
    return await asyncio.wait_for(asyncio.shield(child.outcome), 20)


# -- becoming warm


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ("say(Ready('ImportError: none'))", CannotLoad, "ImportError: none"),
        ("say(Ready('MemoryError', is_trouble=True))", NotStarted, "could not be loaded: Memory"),
        ("say(Ready(can_fork=False))", CannotFork, "a device whose threads"),
        ("say(Report())", NotStarted, "ended with"),
        ("sys.stdout.write('hello, world')", NotStarted, "ended with"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", NotStarted, "ended with SIGSEGV"),
        ("sys.exit(4)", NotStarted, "ended with exit code 4"),
    ],
)
async def test_a_forkserver_that_does_not_become_warm_says_why(
    said: str, error: type[Exception], words: str
) -> None:
    server = await forkserver(said)
    with pytest.raises(error, match=words):
        await server.wait()
    assert server.is_lost
    await server.close()
    assert server.has_ended


async def test_a_process_that_takes_too_long_to_load_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOAD_SECS", 0.1)
    process = await spawned("time.sleep(60)")
    with pytest.raises(NotStarted, match="not loaded in 0 s"):
        await process.wait()
    await process.close()
    assert process.process.returncode == -9


# -- a forkserver's processes


STARTS = "say(Ready(can_fork=True))\nstart = hear()\n"


async def test_a_process_is_started_and_its_end_and_result_are_told() -> None:
    server = await forkserver(
        f"{STARTS}say(Started(start.number, 2**22 + 1), Ended(start.number, 0, '', b'ab'))\nhear()"
    )
    child = await server.start(TASK)
    assert await ended(child) == Outcome(End(0), b"ab")
    child.kill()  # it has ended: nothing is killed
    await server.close()


async def test_a_start_that_the_system_refuses_is_told_in_its_words() -> None:
    server = await forkserver(f"{STARTS}say(StartFailed(start.number, 'no memory'))\nhear()")
    with pytest.raises(NotStarted, match="could not be started: no memory"):
        await server.start(TASK)
    assert not server.is_lost
    await server.close()


async def test_a_forkserver_that_does_not_answer_is_left_and_what_it_starts_later_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "START_SECS", 0.3)
    late = await program("time.sleep(60)")
    server = await forkserver(
        f"{STARTS}time.sleep(1)\nsay(Started(start.number, {late.pid}))\nhear()"
    )
    with pytest.raises(NotStarted, match="no process was started in 0 s"):
        await server.start(TASK)
    assert server.is_lost
    assert await asyncio.wait_for(late.wait(), 20) == -9
    await server.close()


async def test_with_the_forkserver_its_starts_and_its_processes_are_lost() -> None:
    lost: list[bool] = []
    frozen = await program("time.sleep(60)")
    server = await forkserver(
        f"{STARTS}say(Started(start.number, {frozen.pid}))\nhear()\nos.kill(os.getpid(), 9)",
        lambda: lost.append(True),
    )
    child = await server.start(TASK)
    with pytest.raises(NotStarted, match="the forkserver ended with SIGKILL"):
        await server.start(TASK)
    end = (await ended(child)).end
    assert end.code is None
    assert end.error.startswith("the process that it was forked from ended with SIGKILL")
    assert await asyncio.wait_for(frozen.wait(), 20) == -9  # one that is frozen notices nothing
    assert lost == [True]
    with pytest.raises(NotStarted):
        await server.start(TASK)
    await server.close()


async def test_a_forkserver_that_speaks_nonsense_is_ended() -> None:
    server = await forkserver(f"{STARTS}sys.stdout.write('x' * 100)\nsys.stdout.flush()\nhear()")
    with pytest.raises(NotStarted, match="the forkserver ended with SIGKILL"):
        await server.start(TASK)
    await server.close()


# -- spawned ones


async def test_a_spawned_process_does_one_task_and_its_report_comes_with_its_end() -> None:
    process = await spawned(
        "say(Ready())\nstart = hear()\n"
        "say(Started(1, os.getpid()), Report('ValueError: no', b'x'))\nsys.exit(1)"
    )
    await process.wait()
    child = await process.start(TASK)
    assert child.pid == process.process.pid
    assert await ended(child) == Outcome(End(1, "ValueError: no"), b"x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("say(Ready())\nhear()\ntime.sleep(60)", "did not take it"),
        ("say(Ready())\nhear()\nsys.exit(5)", "ended with exit code 5"),
    ],
)
async def test_one_that_does_not_take_its_task_is_ended(
    monkeypatch: pytest.MonkeyPatch, text: str, words: str
) -> None:
    monkeypatch.setattr(module, "START_SECS", 2.0)
    process = await spawned(text)
    await process.wait()
    with pytest.raises(NotStarted, match=words):
        await process.start(TASK)
    await process.close()


async def test_one_whose_asker_goes_away_is_ended() -> None:
    process = await spawned("say(Ready())\nhear()\ntime.sleep(60)")
    await process.wait()
    asking = asyncio.create_task(process.start(TASK))
    await asyncio.sleep(0.1)
    asking.cancel()
    await asyncio.wait({asking})
    await process.close()
    assert process.process.returncode == -9


async def test_one_that_waits_is_ended_with_its_starter_and_loading_ones_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(python_process, "start", lambda *_, **__: program("time.sleep(60)"))
    starter = SpawnStarter()
    warming = asyncio.create_task(starter.warm_up())
    await asyncio.sleep(0.2)
    assert psutil.Process().children()
    await starter.close()
    assert (await asyncio.gather(warming, return_exceptions=True))[0] is not None
    await starter.close()
    assert not [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]


async def test_a_spare_that_could_not_be_loaded_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = iter(["sys.exit(1)", "say(Ready())\nhear()\nsay(Started(1, 1))\nsys.exit(0)"])
    monkeypatch.setattr(python_process, "start", lambda *_, **__: program(next(texts)))
    starter = SpawnStarter()
    with pytest.raises(NotStarted):
        await starter.warm_up()
    await starter.warm_up()
    monkeypatch.setattr(SpawnStarter, "_prepare", lambda self: None)
    child = await starter.start(TASK)
    assert await ended(child) == Outcome(End(0))
    await starter.close()
    assert os.getpid() != child.pid
