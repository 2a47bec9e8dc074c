"""What every process of livegrad's own has in common.

Its pipes, its signals, how it does its task and says so.
"""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livegrad.process_protocol import FAILED, TROUBLE, Call, Decoder, Report, pack
from livegrad.training import task_process

HERE = "tests.backend.process_tasks"
SETTLED = """
import os, signal, sys
from livegrad.process_protocol import Report
from livegrad.training import task_process
requests, replies = task_process.settle()
print("this goes to standard error")
asked = os.read(requests, 100)
signals = [signal.getsignal(number) is signal.SIG_IGN for number in (2, 15, 1)]
left = sorted(int(name) for name in os.listdir("/dev/fd") if int(name) < 60)[:-1]
task_process.send(replies, Report(error=f"{asked} {os.read(0, 5)} {signals} {len(left)}"))
task_process.end(7)
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def reported(pipe: tuple[int, int], task: Call) -> tuple[int, Report]:
    code = task_process.do(task, pipe[1])
    [message] = Decoder().feed(os.read(pipe[0], 65536))
    assert isinstance(message, Report)
    return code, message


def call(name: str, *arguments: Any) -> Call:
    return Call(f"{HERE}:{name}", pack(arguments))


def test_a_settled_process_keeps_its_pipes_alone_and_leaves_signals_to_the_server(
    tmp_path: Path,
) -> None:
    with (tmp_path / "left open").open("w") as left_open:
        done = subprocess.run(
            [sys.executable, "-c", SETTLED],
            input=b"asked", capture_output=True, timeout=60, pass_fds=[left_open.fileno()],
        )  # fmt: skip
    [said] = Decoder().feed(done.stdout)
    assert isinstance(said, Report)
    # standard input, output and error, and both pipes
    assert said.error == "b'asked' b'' [True, True, True] 5"
    assert (done.returncode, done.stderr) == (7, b"this goes to standard error\n")


def test_a_call_returns_its_bytes(pipe: tuple[int, int]) -> None:
    assert reported(pipe, call("doubled", b"ab")) == (0, Report(result=b"abab"))


def test_an_error_of_the_function_is_reported_in_words(
    pipe: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = reported(pipe, call("divided", 1, 0))
    assert (code, said.result) == (FAILED, b"")
    assert said.error.startswith("ZeroDivisionError: ")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "arguments", "code"),
    [
        ("MemoryError", (), TROUBLE),
        ("OSError", (errno.ENOSPC, "No space left on device"), TROUBLE),
        ("PermissionError", (errno.EACCES, "Permission denied"), FAILED),
        ("RuntimeError", ("can't start new thread",), TROUBLE),
        ("ImportError", ("libtorch.so: failed to map segment from shared object",), TROUBLE),
        ("RuntimeError", ("mat1 and mat2 shapes cannot be multiplied",), FAILED),
    ],
)
def test_trouble_of_the_surroundings_is_told_from_a_failure_of_the_code(
    pipe: tuple[int, int], kind: str, arguments: tuple[Any, ...], code: int
) -> None:
    found, said = reported(pipe, call("raised", kind, *arguments))
    assert found == code
    assert said.error.startswith(f"{kind}: ") or said.error == kind


@pytest.mark.parametrize(
    ("end", "code"), [(None, 0), (0, 0), (1, FAILED), ("RuntimeError: told already", FAILED)]
)
def test_a_task_that_ends_the_process_itself_has_said_why_before(
    pipe: tuple[int, int], end: Any, code: int
) -> None:
    assert reported(pipe, call("exited", end)) == (code, Report())


def test_an_end_that_was_caused_by_trouble_says_so(pipe: tuple[int, int]) -> None:
    code, said = reported(pipe, call("exited_after", "MemoryError"))
    assert (code, said.error) == (TROUBLE, "MemoryError")


def test_a_report_that_nobody_reads_any_more_changes_nothing(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    former = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        assert task_process.do(call("doubled", b"ab"), pipe[1]) == 0
    finally:
        signal.signal(signal.SIGPIPE, former)


def test_an_end_at_once_runs_no_exit_handler() -> None:
    program = (
        "import atexit, sys\nfrom livegrad.training import task_process\n"
        "atexit.register(print, 'held up')\nprint('said', end='')\ntask_process.end(3)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (3, b"said")
