"""Answers that take long: made away from the event loop, told of on the board, given up when nobody waits any more."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Annotated

from fastapi import Query, Response
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive

from livegrad.errors import Abandoned
from livegrad.export.progress import Progress

TOKEN = "b9f1c3d2a4e65870"
GONE = 499  # what proxies say of it; nobody is there to read it
Token = Annotated[
    str | None,
    Query(
        pattern="^[A-Za-z0-9_-]{16,64}$",
        description="Any 16 to 64 letters, digits, - and _, made up at random: `progress/TOKEN` tells how far it is.",
        examples=[TOKEN],
    ),
]


def streamed(pages: Iterator[bytes], kind: str, headers: Mapping[str, str], progress: Progress) -> Response:
    """Return an answer that is sent a page at a time, each made when the one before it was taken."""
    return StreamingResponse(_pages(pages, progress), media_type=kind, headers=headers)


async def _pages(pages: Iterator[bytes], progress: Progress) -> AsyncIterator[bytes]:
    try:
        with progress.failing():
            async for page in iterate_in_threadpool(pages):
                yield page
        progress.finish()
    finally:
        progress.cancel()  # unless it has ended in another way


async def made(
    make: Callable[[], str], kind: str, headers: Mapping[str, str], progress: Progress, receive: Receive
) -> Response:
    """Return an answer that is made as a whole. Who has gone meanwhile is not worked for any longer."""
    work = asyncio.create_task(asyncio.to_thread(make))
    leaving = asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not work.done():
            progress.cancel()
    try:
        with progress.failing():
            text = await work
    except Abandoned:
        return Response(status_code=GONE)
    progress.finish()
    return Response(text, media_type=kind, headers=dict(headers))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
