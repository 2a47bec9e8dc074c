"""How a process ended, in words, and whose fault it was."""

import signal

import pytest

from livegrad.runs.end import End, in_signal_words


@pytest.mark.parametrize(
    ("end", "words", "is_failure"),
    [
        (End(0), "its process ended with exit code 0", False),
        (End(1), "its process ended with exit code 1", False),  # it gave up looking for a server
        (End(1, "ImportError: no torch"), "its process failed: ImportError: no torch", True),
        (End(75, "MemoryError"), "its process could not go on: MemoryError", False),
        (
            End(None, "its forkserver is gone"),
            "its process was lost: its forkserver is gone",
            False,
        ),
        (End(None), "its process was lost: nobody knows how it ended", False),
        (
            End(-signal.SIGKILL),
            "its process was killed by SIGKILL (often the system ran out of memory)",
            False,
        ),
        (End(-signal.SIGSEGV), "its process was killed by SIGSEGV", False),
        (End(-99), "its process was killed by signal 99", False),
    ],
)
def test_how_a_process_ended_is_told_in_words(end: End, words: str, is_failure: bool) -> None:
    assert (str(end), end.is_failure) == (words, is_failure)


def test_a_signal_that_often_means_something_says_what() -> None:
    assert in_signal_words(signal.SIGTERM) == "SIGTERM"
    assert "disk, or shared memory" in in_signal_words(signal.SIGBUS)
