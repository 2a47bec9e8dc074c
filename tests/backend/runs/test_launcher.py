"""How a process ended, in words; and what is asked of trainers that are not there."""

import signal

import pytest

from livegrad.runs.launcher import End, Launcher, in_words


@pytest.mark.parametrize(
    ("end", "words", "is_failure"),
    [
        (End(0), "its process ended with exit code 0", False),
        (End(1), "its process ended with exit code 1", True),
        (End(None), "its process ended with exit code None", True),
        (End(1, "ImportError: no torch"), "its process failed: ImportError: no torch", True),
        (End(-signal.SIGKILL), "its process was killed by SIGKILL", False),
        (End(-signal.SIGSEGV), "its process was killed by SIGSEGV", False),
        (End(-99), "its process was killed by signal 99", False),
    ],
)
def test_how_a_process_ended_is_told_in_words(end: End, words: str, is_failure: bool) -> None:
    assert (str(end), end.is_failure) == (words, is_failure)


def test_an_error_is_told_by_its_type_and_message_if_it_has_one_and_not_without_end() -> None:
    assert in_words(ValueError("no such thing")) == "ValueError: no such thing"
    assert in_words(AssertionError()) == "AssertionError"
    assert len(in_words(ValueError("x" * 10_000))) == 1000


async def test_ending_a_trainer_that_is_not_there_is_nothing_to_do() -> None:
    launcher = Launcher()
    await launcher.end("nobody")
    await launcher.end_all()
    assert launcher.pid("nobody") is None
    assert not launcher.is_warm
