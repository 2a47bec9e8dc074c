"""How a process ended, in words; and what is asked of trainers that are not there."""

import signal

import pytest

from livegrad.launcher import Launcher, _how_it_ended


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "its process ended with exit code 0"),
        (1, "its process ended with exit code 1"),
        (None, "its process ended with exit code None"),
        (-signal.SIGKILL, "its process was killed by SIGKILL"),
        (-signal.SIGSEGV, "its process was killed by SIGSEGV"),
        (-99, "its process was killed by signal 99"),
    ],
)
def test_an_exit_code_is_told_in_words(code: int | None, words: str) -> None:
    assert _how_it_ended(code) == words


async def test_ending_a_trainer_that_is_not_there_is_nothing_to_do() -> None:
    launcher = Launcher()
    await launcher.end("nobody")
    await launcher.end_all()
    assert launcher.pid("nobody") is None
    assert not launcher.is_warm
