"""A spawned process: it says that it is warm, takes one task, does it, and ends with its
server unless it trains.
"""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from livegrad.process_protocol import (
    LENGTH,
    TROUBLE,
    Call,
    Message,
    Ready,
    Report,
    Start,
    Started,
    body_length,
    decode,
    encode,
    pack,
)

HERE = "tests.backend.process_tasks"


@pytest.fixture
def spawned() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "livegrad.training.spawned"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def heard(process: subprocess.Popen[bytes]) -> Message:
    assert process.stdout is not None
    return decode(process.stdout.read(body_length(process.stdout.read(LENGTH.size))))


def say(process: subprocess.Popen[bytes], message: Message) -> None:
    assert process.stdin is not None
    process.stdin.write(encode(message))
    process.stdin.flush()


def test_it_does_its_one_task_reports_and_ends(spawned: subprocess.Popen[bytes]) -> None:
    assert heard(spawned) == Ready(can_fork=False)
    say(spawned, Start(5, Call(f"{HERE}:doubled", pack((b"ab",)))))
    assert heard(spawned) == Started(5, spawned.pid)
    assert heard(spawned) == Report(result=b"abab")
    assert spawned.wait(20) == 0


@pytest.mark.parametrize("has_task", [False, True])
def test_without_a_trainers_task_it_ends_with_its_server(
    spawned: subprocess.Popen[bytes], has_task: bool
) -> None:
    assert isinstance(heard(spawned), Ready)
    if has_task:
        say(spawned, Start(1, Call(f"{HERE}:slept", pack(()))))
        assert isinstance(heard(spawned), Started)
    assert spawned.stdin is not None
    spawned.stdin.close()
    assert spawned.wait(20) == TROUBLE
