"""Signals that ask the program to end.

Passed on once there is something to end, and given back afterwards.
"""

import os
import signal
import subprocess
import sys
import time

import pytest

from livegrad.signals import Ending

numbers = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.001)  # it is taken before the next line


@numbers
def test_before_there_is_anything_to_end_a_signal_is_a_keyboard_interrupt(
    number: signal.Signals,
) -> None:
    ending = Ending()
    with ending.handling(), pytest.raises(KeyboardInterrupt):
        send(number)
    assert ending.asked == 1


@numbers
def test_afterwards_each_one_is_passed_on_and_counted(number: signal.Signals) -> None:
    ending, taken = Ending(), list[int]()
    ending.take = lambda: taken.append(ending.asked)
    with ending.handling():
        send(number)
        send(number)
    assert taken == [1, 2]


def test_signals_are_given_back_to_whoever_had_them() -> None:
    before = [signal.getsignal(number) for number in (2, 15, 1)]
    with Ending().handling():
        assert all(signal.getsignal(number) not in before for number in (2, 15))
    assert [signal.getsignal(number) for number in (2, 15, 1)] == before


def test_a_closed_terminal_is_left_ignored_where_it_was() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Ending().handling():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            send(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, former)


def test_one_more_while_the_interpreter_clears_up_leaves_no_traceback() -> None:
    program = (
        "import atexit, os, signal\nfrom livegrad.signals import Ending\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "with Ending().handling():\n    pass"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
