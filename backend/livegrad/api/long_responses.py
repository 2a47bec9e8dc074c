"""Answers that take long: made in threads, tracked on the board, abandoned when unwanted.

Each answer holds one of a few places while it lasts. However many are requested, they take bounded
memory, and requests for single steps do not wait for them.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

from fastapi import Query, Response
from starlette.types import Receive, Scope, Send

from livegrad.api import limits
from livegrad.api.refusals import Refusal
from livegrad.api.tasks import first_of
from livegrad.errors import Abandoned
from livegrad.export.progress import Progress

TOKEN = "b9f1c3d2a4e65870"
HEAD_ASKED = "livegrad.head"  # set in a scope when only the headers are wanted (HEAD)
Token = Annotated[
    str | None,
    Query(
        pattern="^[A-Za-z0-9_-]{16,64}$",
        description=(
            "Any 16 to 64 letters, digits, - and _, chosen at random: `progress/TOKEN` then tells "
            "how far the export is."
        ),
        examples=[TOKEN],
    ),
]
T = TypeVar("T")


class Threads:
    """The threads that read the log: some for long answers, others for single steps only."""

    def __init__(self) -> None:
        self._long = ThreadPoolExecutor(limits.EXPORT_THREADS, "livegrad export")
        self._short = ThreadPoolExecutor(limits.SNAPSHOT_THREADS, "livegrad snapshot")
        self._paged = asyncio.Semaphore(limits.EXPORTS)
        self._whole = asyncio.Semaphore(limits.WHOLE_EXPORTS)

    async def snapshot(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call a function that reads a single step."""
        return await _run(self._short, functools.partial(call, *arguments))

    async def make(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call a function that takes long.

        If cancelled, it returns only after the thread has finished the call.
        """
        return await _run(self._long, functools.partial(call, *arguments))

    @asynccontextmanager
    async def place(self, is_whole: bool) -> AsyncIterator[None]:
        """Hold a place for an answer while it is made, after a short wait for one.

        Raises Refusal.
        """
        places = self._whole if is_whole else self._paged
        try:
            async with asyncio.timeout(limits.EXPORT_WAIT_SECS):
                await places.acquire()
        except TimeoutError as error:
            most = limits.WHOLE_EXPORTS if is_whole else limits.EXPORTS
            raise Refusal(
                503,
                "Too many exports",
                f"expected at most {most} of these exports at once: try again in a few seconds",
                {"retry-after": "10"},
            ) from error
        try:
            yield
        finally:
            places.release()

    def close(self) -> None:
        """Let the threads end."""
        self._long.shutdown(wait=False, cancel_futures=True)
        self._short.shutdown(wait=False, cancel_futures=True)


async def _run(pool: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    job = pool.submit(call)
    waiting = asyncio.wrap_future(job)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if not job.cancel():
            await asyncio.wait({waiting})  # the thread still uses the log
            if not waiting.cancelled():
                waiting.exception()  # the caller is gone; asyncio would warn otherwise
        raise


class Paged(Response):
    """An answer that is made page by page, each after the one before it was taken."""

    def __init__(
        self,
        pages: Iterator[bytes],
        kind: str,
        headers: Mapping[str, str],
        threads: Threads,
        progress: Progress,
    ) -> None:
        self.status_code, self.media_type, self.background = 200, kind, None
        self.init_headers(headers)
        self._pages, self._threads, self._progress = pages, threads, progress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer until it ends or its reader has gone."""
        try:
            if scope.get(HEAD_ASKED):
                await self._start(send)
                await send({"type": "http.response.body", "body": b""})
                return
            async with self._threads.place(is_whole=False):
                await first_of(self._send(send), gone(receive))
        except Refusal as refusal:
            await refusal.answer(scope, receive, send)
        finally:
            self._progress.cancel()  # no effect if the export has already ended
            # the threads have ended, and nobody reads any more
            with contextlib.suppress(RuntimeError):
                await asyncio.shield(self._threads.make(_close, self._pages))

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})

    async def _send(self, send: Send) -> None:
        with self._progress.failing():
            try:
                # the first page is made before the status 200 is sent
                page = await self._threads.make(next, self._pages, b"")
                await self._start(send)
                while page:
                    await _send_pieces(page, send)
                    page = await self._threads.make(next, self._pages, b"")
            except asyncio.CancelledError:
                self._progress.cancel()
                raise
        self._progress.finish()
        await send({"type": "http.response.body", "body": b""})


def _close(pages: Iterator[bytes]) -> None:
    if close := getattr(pages, "close", None):
        close()


async def _send_pieces(page: bytes, send: Send) -> None:
    # Everything that is written at once waits in the connection's buffer, whatever its size.
    for start in range(0, len(page), limits.PIECE_BYTES):
        piece = page[start : start + limits.PIECE_BYTES]
        await send({"type": "http.response.body", "body": piece, "more_body": True})


class Whole(Response):
    """An answer that is made as a whole and then sent. The work ends early if the client goes."""

    def __init__(
        self,
        make: Callable[[], str],
        kind: str,
        headers: Mapping[str, str],
        threads: Threads,
        progress: Progress,
    ) -> None:
        self.status_code, self.media_type, self.background = 200, kind, None
        self.init_headers(headers)
        self._make, self._threads, self._progress = make, threads, progress

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the answer and send it."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            if scope.get(HEAD_ASKED):
                await send(start)
                await send({"type": "http.response.body", "body": b""})
                return
            async with self._threads.place(is_whole=True):
                await first_of(self._send(start, send), gone(receive))
        except Refusal as refusal:
            await refusal.answer(scope, receive, send)
        finally:
            self._progress.cancel()

    async def _send(self, start: Any, send: Send) -> None:
        making = asyncio.ensure_future(self._threads.make(self._make))
        try:
            with self._progress.failing():
                text = await asyncio.shield(making)
        except Abandoned:
            return
        except asyncio.CancelledError:
            self._progress.cancel()  # the work ends at its next progress report
            making.cancel()
            await asyncio.wait({making})
            raise
        self._progress.finish()
        body = text.encode()
        del text, making
        start["headers"].append((b"content-length", str(len(body)).encode()))
        await send(start)
        await _send_pieces(body, send)
        await send({"type": "http.response.body", "body": b""})


async def gone(receive: Receive) -> None:
    """Return once the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
