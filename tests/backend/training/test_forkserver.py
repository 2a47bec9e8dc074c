"""The forkserver over its pipes.

A process for each request, how each ended, and its own end after its last process.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from livegrad.process_protocol import (
    LENGTH,
    TROUBLE,
    Call,
    Ended,
    Message,
    Ready,
    Start,
    Started,
    body_length,
    decode,
    encode,
    pack,
)

HERE = "tests.backend.process_tasks"
COMMAND = [sys.executable, "-m", "livegrad.training.forkserver"]
Process = subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def shared() -> Iterator[Process]:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert heard(process) == Ready(can_fork=True)
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def heard(process: Process) -> Message:
    assert process.stdout is not None
    return decode(process.stdout.read(body_length(process.stdout.read(LENGTH.size))))


def start(process: Process, number: int, name: str, *arguments: object) -> int:
    assert process.stdin is not None
    process.stdin.write(encode(Start(number, Call(f"{HERE}:{name}", pack(arguments)))))
    process.stdin.flush()
    started = heard(process)
    assert isinstance(started, Started)
    assert started.number == number
    return started.pid


def test_a_process_is_forked_for_each_request_and_its_end_is_told(shared: Process) -> None:
    pids = set()
    for number in range(3):
        pids.add(start(shared, number, "doubled", bytes([number])))
        assert heard(shared) == Ended(number, 0, "", bytes([number] * 2))
    assert len(pids) == 3
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_an_exit_code_a_signal_and_an_error_are_told_as_they_are(shared: Process) -> None:
    start(shared, 1, "ended")
    assert heard(shared) == Ended(1, 3)
    os.kill(start(shared, 2, "slept"), signal.SIGSEGV)
    assert heard(shared) == Ended(2, -signal.SIGSEGV)
    start(shared, 3, "divided", 1, 0)
    end = heard(shared)
    assert isinstance(end, Ended)
    assert (end.code, end.error.partition(":")[0]) == (1, "ZeroDivisionError")


def test_a_large_result_comes_whole(shared: Process) -> None:
    start(shared, 4, "doubled", bytes(1_000_000))
    assert heard(shared) == Ended(4, 0, "", bytes(2_000_000))


def test_one_that_waits_holds_no_other_up(shared: Process) -> None:
    waiting = start(shared, 5, "slept")
    start(shared, 6, "doubled", b"x")
    assert heard(shared) == Ended(6, 0, "", b"xx")
    os.kill(waiting, signal.SIGKILL)
    assert heard(shared) == Ended(5, -signal.SIGKILL)


def test_without_a_server_its_calls_are_ended_and_then_itself() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert isinstance(heard(process), Ready)
        child = psutil.Process(start(process, 1, "slept"))
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0
        psutil.wait_procs([child], timeout=20)
        assert not child.is_running()


def test_while_torch_is_loaded_it_ends_as_soon_as_its_server_is_gone() -> None:
    begun = time.monotonic()
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) in (TROUBLE, 0)  # 0: torch was loaded by then
    assert time.monotonic() - begun < 30


def test_its_processes_end_with_it() -> None:
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert isinstance(heard(process), Ready)
        child = psutil.Process(start(process, 1, "slept"))
        process.kill()
        psutil.wait_procs([child], timeout=20)
        assert not child.is_running()
