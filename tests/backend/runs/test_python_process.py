"""Python processes of livegrad's own: nothing of where the server was started reaches them."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from livegrad.errors import NotStarted, ProtocolError
from livegrad.process_protocol import MAX_MESSAGE_BYTES, Ended, Message, Report, Started
from livegrad.runs import python_process

ECHO = "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())"


async def program(text: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", text, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )


def test_only_absolute_entries_of_the_import_path_are_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = ["", ".", "lessons", "/opt/own", "../up"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entries))
    found = python_process.import_path().split(os.pathsep)
    assert found[0] == "/opt/own"
    assert set(found) <= {"/opt/own", str(python_process.PACKAGE_FOLDER)}


async def test_a_process_has_a_folder_that_stays_and_its_modules_only_from_absolute_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "told.py").write_text(
        "import os, sys\nprint(os.getcwd(), '' in sys.path, os.environ.get('CUDA_VISIBLE_DEVICES'))"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = await python_process.start("told", hides_devices=True)
    said, _ = await process.communicate()
    assert said.decode().split() == ["/", "False", "-1"]


async def test_messages_go_over_the_pipes_whole_whatever_their_length() -> None:
    process = await program(ECHO)
    messages: list[Message] = [Started(1, 2), Report(result=bytes(300_000)), Ended(3, -9)]
    for message in messages:
        await python_process.write(process, message)
    assert process.stdin is not None
    process.stdin.close()
    assert [await python_process.read(process) for _ in messages] == messages
    with pytest.raises(EOFError):
        await python_process.read(process)
    await process.wait()


async def test_a_length_that_no_message_has_is_refused() -> None:
    size = (MAX_MESSAGE_BYTES + 1).to_bytes(4, "little")
    process = await program(f"import sys\nsys.stdout.buffer.write({size!r})")
    with pytest.raises(ProtocolError, match=f"at most {MAX_MESSAGE_BYTES} bytes"):
        await python_process.read(process)
    await process.wait()


async def test_a_killed_process_says_how_it_ended_and_may_be_killed_again() -> None:
    process = await program("import time\ntime.sleep(60)")
    python_process.kill(process)
    assert await process.wait() == -9
    python_process.kill(process)


async def write_much(process: Process) -> None:
    for _ in range(10):
        await python_process.write(process, Report(result=bytes(100_000)))


async def test_writing_to_a_process_that_has_ended_raises_an_error_of_the_system() -> None:
    process = await program("")
    await process.wait()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        await write_much(process)


@pytest.mark.parametrize(
    ("program", "said"), [("", "does not know the path"), ("/nope", "check that")]
)
async def test_an_interpreter_that_cannot_be_started_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    monkeypatch.setattr("sys.executable", program)
    with pytest.raises(NotStarted, match=said):
        await python_process.start("livegrad", hides_devices=False)


def test_how_this_interpreter_was_told_to_import_is_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert python_process.flags()[0] == "-P"
    flags = type("Flags", (), {"ignore_environment": 1, "no_user_site": 1})
    monkeypatch.setattr("sys.flags", flags)
    assert python_process.flags() == ["-P", "-E", "-s"]
