"""The trainer's end of the websocket: records out, commands in, on one thread of its own.

Knows nothing of PyTorch. Sent frames are kept until the server has committed them; after a lost connection it
reconnects and sends them again. Bounded: with too much unacknowledged it takes nothing more out of the ring, and
training waits.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from livegrad.assignment import Address
from livegrad.protocol import MAX_TRAINER_MESSAGE_BYTES, Frame, encode
from livegrad.training.observer import Ring, records_frame

INTERVAL_SECS = (
    0.014  # between two frames at full speed, 60 and more a second; a lone record goes out at once
)
UNACKNOWLEDGED_BYTES = 4 * 1024 * 1024
GIVE_UP_SECS = 60.0  # without a server for so long, the trainer ends
REFUSED_STATUSES = frozenset({401, 403, 404, 409})  # no use to try again
REFUSED_CODES = frozenset({4403, 4404, 4409})

Message = dict[str, Any]


class Link:
    """Carries what the training thread says to the server, and the server's commands to `on_message`.

    `greeting` is the hello message; it is said again after every reconnect. `on_end()` is called when the server is
    gone for good, or refuses this trainer.
    """

    def __init__(
        self,
        address: Address,
        ring: Ring,
        first_step: int,
        greeting: Message,
        on_message: Callable[[Message], None],
        on_end: Callable[[], None],
    ) -> None:
        self._address, self._ring, self._greeting = address, ring, greeting
        self._on_message, self._on_end = on_message, on_end
        self._next_step = first_step  # step of the next record to come out of the ring
        self._outbox: deque[Message | Frame] = deque()  # said by the training thread, not yet sent
        self._unacknowledged: deque[Frame] = deque()
        self._unacknowledged_bytes = 0
        self._last_status: Message | None = None  # said again after a reconnect
        self._last_picture: Frame | None = None
        self._idle = False  # nobody looks at the ring: wake the thread
        self._closing = False
        self._loop = asyncio.new_event_loop()
        self._something: asyncio.Event = asyncio.Event()
        self._said: asyncio.Event = asyncio.Event()  # words or a picture wait: they are not kept for company
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    # -- the training thread

    def start(self) -> None:
        """Connect, in the background."""
        self._thread.start()

    def say(self, message: Message) -> None:
        """Send `message` after every record written so far."""
        self._outbox.append(message)
        self._call(self._hear)

    def show(self, picture: Frame) -> None:
        """Send a picture of a half-done iteration."""
        self._outbox.append(picture)
        self._call(self._hear)

    def wake(self) -> None:
        """Tell the link that there is something to send. Cheap while it is at work."""
        if self._idle:
            self._idle = False
            self._call(self._something.set)

    def _call(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the link has ended: nobody to wake
            self._loop.call_soon_threadsafe(function)

    def close(self, timeout: float) -> None:
        """Send what is left, wait until it is acknowledged (`timeout` seconds at most), and disconnect."""
        self._closing = True
        self._call(self._hear)
        self._thread.join(timeout)

    # -- the link's thread

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._stay_connected())
        finally:
            self._loop.close()

    async def _stay_connected(self) -> None:
        lost_at = time.monotonic()
        while time.monotonic() - lost_at < GIVE_UP_SECS:
            try:
                async with self._connect() as socket:
                    await self._talk(socket)
                if self._closing and self._is_empty():
                    return
                lost_at = time.monotonic()  # closed in good order, but by the other end
            except InvalidStatus as refusal:
                if refusal.response.status_code in REFUSED_STATUSES:
                    break
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code in REFUSED_CODES:
                    break
                lost_at = time.monotonic()
            except (OSError, InvalidHandshake, TimeoutError):
                if self._closing:
                    return
            await asyncio.sleep(0.2)
        self._on_end()

    def _connect(self) -> connect:
        return connect(
            self._address.url,
            additional_headers={"Authorization": f"Bearer {self._address.secret}"},
            compression=None,  # records are noise to it: 4 % saved at the price of a core
            max_size=MAX_TRAINER_MESSAGE_BYTES,
            proxy=None,
            ping_interval=None,
            close_timeout=1,
        )

    async def _talk(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps(self._greeting))
        welcome = json.loads(await socket.recv())
        self._acknowledge(welcome["step"])
        await self._say_again(socket)
        receiving = asyncio.create_task(self._receive(socket))
        sending = asyncio.create_task(self._send(socket))
        try:
            done, _ = await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (receiving, sending):
                task.cancel()
            await asyncio.gather(receiving, sending, return_exceptions=True)

    async def _say_again(self, socket: ClientConnection) -> None:
        for frame in list(self._unacknowledged):
            await socket.send(encode(frame))
        if self._last_picture is not None:
            await socket.send(encode(self._last_picture))
        if self._last_status is not None:
            await socket.send(json.dumps(self._last_status))

    async def _receive(self, socket: ClientConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            match message["kind"]:
                case "ack":
                    self._acknowledge(message["step"])
                    self._something.set()
                case "ping":
                    await socket.send('{"kind": "pong"}')
                case _:
                    self._on_message(message)

    def _acknowledge(self, step: int) -> None:
        while self._unacknowledged and self._unacknowledged[0].last <= step:
            self._unacknowledged_bytes -= len(self._unacknowledged.popleft().payload)

    async def _send(self, socket: ClientConnection) -> None:
        while True:
            await self._wait_for_something()
            said = len(
                self._outbox
            )  # counted first: what was said before those records must not overtake them
            if self._unacknowledged_bytes < UNACKNOWLEDGED_BYTES:
                await self._send_records(socket)
                for _ in range(said):
                    await self._send_said(socket, self._outbox.popleft())
            if self._closing and self._is_empty():
                return
            await self._rest()

    def _hear(self) -> None:
        self._said.set()
        self._something.set()

    async def _rest(self) -> None:
        # Records may wait for more of them; an answer to a command may not.
        self._said.clear()
        if not self._outbox and not self._closing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL_SECS):
                    await self._said.wait()

    async def _wait_for_something(self) -> None:
        self._something.clear()
        self._idle = True
        if self._outbox or self._ring.filled != self._ring.taken or self._closing:
            self._idle = False
            if self._unacknowledged_bytes < UNACKNOWLEDGED_BYTES and not (
                self._closing and self._waits_for_ack()
            ):
                return
        await self._something.wait()
        self._idle = False

    def _waits_for_ack(self) -> bool:
        return not self._outbox and self._ring.filled == self._ring.taken and bool(self._unacknowledged)

    def _is_empty(self) -> bool:
        return not self._outbox and self._ring.filled == self._ring.taken and not self._unacknowledged

    async def _send_records(self, socket: ClientConnection) -> None:
        count, data, finished_at = self._ring.take()
        if count == 0:
            return
        self._next_step += count
        frame = records_frame(count, data, self._next_step - 1, self._address.epoch, finished_at)
        self._unacknowledged.append(frame)
        self._unacknowledged_bytes += len(frame.payload)
        self._last_picture = None
        await socket.send(encode(frame))

    async def _send_said(self, socket: ClientConnection, said: Message | Frame) -> None:
        if isinstance(said, Frame):
            self._last_picture = said
            await socket.send(encode(said))
            return
        if said["kind"] == "state":
            self._last_status = said
        await socket.send(json.dumps(said))
