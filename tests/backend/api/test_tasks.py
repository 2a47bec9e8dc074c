"""Coroutines that end together."""

import asyncio

import pytest

from livegrad.api.tasks import first_of


async def test_the_first_to_end_ends_the_others() -> None:
    ended = asyncio.Event()

    async def forever() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    async def soon() -> str:
        await asyncio.sleep(0)
        return "soon"

    assert await first_of(forever(), soon()) == "soon"
    assert ended.is_set()
    assert len(asyncio.all_tasks()) == 1


async def test_an_error_is_raised_as_it_is() -> None:
    async def fail() -> None:
        raise ValueError("as it is")

    with pytest.raises(ValueError, match="as it is"):
        await first_of(asyncio.sleep(60), fail())
    assert len(asyncio.all_tasks()) == 1


async def test_whoever_is_cancelled_leaves_no_task() -> None:
    task = asyncio.create_task(first_of(asyncio.sleep(60), asyncio.sleep(60)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1
