"""Viewers of the runs.

They reconnect for ever, check that no gap is undeclared, and keep what they saw.

All of them live in one thread of their own; a relay stands before some, so that their connections
can be cut.
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.faults.report import Report
from tests.faults.watched_run import WatchedRun
from tests.viewer import RECORDS, Seen, read_frame

RETRY_SECS = 0.1
BEHAVIOURS = ("plain", "ack", "slow", "relayed")
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Viewers:
    """Every viewer of the server at `port`."""

    def __init__(self, port: int, report: Report) -> None:
        self._port, self._report = port, report
        self._relayed: set[asyncio.StreamWriter] = set()
        self._relay_port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="viewers")
        self._thread.start()
        self._relay = self._call(self._open_relay())

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        """End every viewer, and the thread."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _close(self) -> None:
        self._relay.close()
        self._cut(None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- viewers

    def watch(self, watched: WatchedRun, behaviour: str) -> None:
        """Attach a viewer to a run until the run is done."""
        self._loop.call_soon_threadsafe(lambda: self._hold(self._watch(watched, behaviour)))

    def storm(self, watched: WatchedRun, count: int) -> None:
        """Connect `count` viewers at once; each reads a little and leaves without a word."""
        for _ in range(count):
            self._loop.call_soon_threadsafe(lambda: self._hold(self._glance(watched)))

    def _hold(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _connect(self, watched: WatchedRun, behaviour: str) -> connect:
        query = "?flow=ack" if behaviour in ("ack", "slow") else ""
        url = f"ws://127.0.0.1:{self._port}/api/runs/{watched.run}/stream{query}"
        return connect(
            url,
            host="127.0.0.1",
            port=self._relay_port if behaviour == "relayed" else self._port,
            max_size=None,
            compression=None,
            proxy=None,
            ping_interval=None,
            open_timeout=20,
            close_timeout=1,
        )

    async def _watch(self, watched: WatchedRun, behaviour: str) -> None:
        while not watched.is_done:
            with contextlib.suppress(OSError, WebSocketException, TimeoutError, EOFError):
                async with self._connect(watched, behaviour) as stream:
                    await self._read(stream, watched, behaviour)
            await asyncio.sleep(RETRY_SECS)

    async def _read(self, stream: ClientConnection, watched: WatchedRun, behaviour: str) -> None:
        expected: int | None = None  # the next step; None before the first frame of this connection
        while not watched.is_done:
            try:
                message = await asyncio.wait_for(stream.recv(), 1)
            except TimeoutError:
                continue
            if isinstance(message, str) or (frame := read_frame(message)).kind != RECORDS:
                continue
            self._check(watched, frame, expected)
            watched.see(frame)
            self._report.frames += 1
            expected = frame.last + 1
            if behaviour in ("ack", "slow"):
                await asyncio.sleep(0.1 if behaviour == "slow" else 0)
                await stream.send(json.dumps({"kind": "ack", "step": frame.last}))

    def _check(self, watched: WatchedRun, frame: Seen, expected: int | None) -> None:
        if expected is not None and frame.first != expected + frame.skipped:
            self._report.violate(
                f"run {watched.run}: undeclared gap at a viewer: "
                f"step {frame.first} came with skipped "
                f"{frame.skipped} where {expected} was next (epoch {frame.epoch})"
            )

    async def _glance(self, watched: WatchedRun) -> None:
        with contextlib.suppress(OSError, WebSocketException, TimeoutError, EOFError):
            stream = await self._connect(watched, "plain")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stream.recv(), 2)
            stream.transport.abort()

    # -- the relay

    def cut_relayed(self) -> int:
        """Reset every connection that goes through the relay; return how many there were."""
        return int(self._call(self._cut_soon()))

    async def _cut_soon(self) -> int:
        return self._cut(None)

    def _cut(self, only: Callable[[asyncio.StreamWriter], bool] | None) -> int:
        chosen = [writer for writer in self._relayed if only is None or only(writer)]
        for writer in chosen:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _ABORT
                )
            writer.transport.abort()
        return len(chosen) // 2

    async def _open_relay(self) -> asyncio.Server:
        relay = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self._relay_port = relay.sockets[0].getsockname()[1]
        return relay

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._port)
            await self._both(reader, back, there, writer)
        writer.transport.abort()

    async def _both(
        self,
        reader: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._relayed |= {writer, back}
        try:
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
        finally:
            self._relayed -= {writer, back}
            back.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
