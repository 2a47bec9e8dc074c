"""Loading torch: what is said when it is there, half there, or out of reach.

And whether a fork may train.
"""

import os
import sys
import time

import pytest

from livegrad.process_protocol import Ready
from livegrad.training import warm


def test_this_process_becomes_warm_and_says_whether_it_may_be_forked() -> None:
    assert warm.load(forks=False) == Ready(can_fork=False)


def test_beside_a_device_nothing_is_forked_and_nothing_warmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm, "sees_a_device", lambda: True)
    assert warm.load(forks=True) == Ready(can_fork=False)


@pytest.mark.parametrize(
    ("text", "is_trouble"),
    [("libtorch.so: failed to map segment from shared object", True), ("no torch", False)],
)
def test_a_torch_that_cannot_be_loaded_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, text: str, is_trouble: bool
) -> None:
    def fails(name: str) -> None:
        raise ImportError(text)

    monkeypatch.setattr("importlib.import_module", fails)
    assert warm.load(forks=True) == Ready(f"ImportError: {text}", False, is_trouble)


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is forked there")
def test_a_fork_that_cannot_train_or_stands_still_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm, "_run_backward", lambda: os._exit(1))
    assert not warm.a_fork_can_train()
    monkeypatch.setattr(warm, "PROBE_SECS", 0.1)
    monkeypatch.setattr(warm, "_run_backward", lambda: time.sleep(60))
    assert not warm.a_fork_can_train()
    monkeypatch.setattr(warm, "PROBE_SECS", 20.0)
    monkeypatch.setattr(warm, "_run_backward", lambda: os._exit(0))
    assert warm.a_fork_can_train()


def test_a_machine_without_another_process_says_so_at_the_start_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("os.fork", refuses)
    assert warm.a_fork_can_train()
