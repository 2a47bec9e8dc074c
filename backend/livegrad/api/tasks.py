"""Runs coroutines together: when one ends, the others are cancelled.

Knows nothing of what they do.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Ended(Generic[T]):
    value: T | None
    error: Exception | None

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]  # None only where T says so


async def first_of(*ways: Coroutine[Any, Any, T]) -> T:
    """Run all coroutines until one ends; return or raise its result after the others have ended."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ended(way)) for way in ways]
        done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
    return next(task for task in tasks if task in done).result().result()


async def _ended(way: Coroutine[Any, Any, T]) -> _Ended[T]:
    # Errors are returned as values here; a TaskGroup would wrap them and cancel itself.
    try:
        return _Ended(await way, None)
    except Exception as error:
        return _Ended(None, error)
