"""A function in a process of its own: its bytes, or why there are none."""

import asyncio

import pytest

from livegrad.errors import TrainerError
from livegrad.runs.torch_worker import work

HERE = "tests.backend.odd_jobs"


async def test_it_returns_the_bytes() -> None:
    answers = await asyncio.gather(*(work(f"{HERE}:doubled", bytes([n]) * 300_000) for n in range(3)))
    assert answers == [bytes([n]) * 600_000 for n in range(3)]


async def test_an_error_is_told_in_words() -> None:
    with pytest.raises(TrainerError, match=r"ZeroDivisionError: .* by zero"):
        await work(f"{HERE}:divided", 1, 0)


async def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(TrainerError, match="ended without an answer"):
        await work(f"{HERE}:ended")


async def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livegrad.runs.torch_worker.WORK_SECS", 0.2)
    with pytest.raises(TrainerError, match="did not answer"):
        await work(f"{HERE}:slept")
