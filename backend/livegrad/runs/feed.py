"""One viewer's mailbox: bounded, newest wins, and what was left out is counted. Knows nothing of sockets.

Pictures are conflated: a viewer that keeps up gets every step, one that does not gets the newest records and the number
of steps that it skipped. Of states only the newest waits; each tells the whole run.
"""

import asyncio
from collections import deque

from livegrad.protocol import Frame, encode, join

CREDIT = 2  # frames sent and not yet acknowledged
# a few of the largest frames at once: a hitch of the server is not the viewer's
WAITING_BYTES = 1024 * 1024
Item = bytes | str


class Feed:
    """The mailbox of one viewer. `offer…` never waits; `next` waits for something to send and for credit."""

    def __init__(self, acknowledges: bool) -> None:
        self._acknowledges = acknowledges
        self._frames: deque[tuple[Frame, bytes]] = deque()  # with its bytes, shared by every viewer
        self._bytes = 0  # of the frames waiting
        self._skipped = 0  # steps left out since the last frame sent
        # of a half-done iteration, newer than all frames waiting
        self._picture: bytes | None = None
        self._texts: deque[str] = deque()  # hellos and errors: few, never dropped
        self._state: str | None = None  # newest state event waiting
        # last step of each frame sent and not acknowledged
        self._unacknowledged: deque[int] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._ended = asyncio.Event()  # set with `_closed`, for whoever waits for nothing else

    def offer(self, frame: Frame, encoded: bytes) -> None:
        """Put records into the box, leaving the oldest out when it is full."""
        self._frames.append((frame, encoded))
        self._bytes += len(frame.payload)
        self._picture = None
        while self._bytes > WAITING_BYTES and len(self._frames) > 1:
            left_out, _ = self._frames.popleft()
            self._bytes -= len(left_out.payload)
            self._skipped += left_out.count
        self._changed.set()

    def offer_picture(self, encoded: bytes) -> None:
        """Put the picture of a half-done iteration into the box."""
        self._picture = encoded
        self._changed.set()

    def offer_state(self, text: str) -> None:
        """Put a state event into the box, in place of an older one."""
        self._state = text
        self._changed.set()

    def offer_text(self, text: str) -> None:
        """Put a message into the box that must not be lost."""
        self._texts.append(text)
        self._changed.set()

    def acknowledge(self, step: int) -> None:
        """Give credit back for every frame up to `step`."""
        while self._unacknowledged and self._unacknowledged[0] <= step:
            self._unacknowledged.popleft()
        self._changed.set()

    def close(self) -> None:
        """End it: `next` returns None from now on."""
        self._closed = True
        self._ended.set()
        self._changed.set()

    async def end(self) -> None:
        """Wait until it is closed."""
        await self._ended.wait()

    async def next(self) -> Item | None:
        """Return what to send next, waiting for it; None once closed."""
        while not self._closed:
            if (item := self._take()) is not None:
                return item
            self._changed.clear()
            await self._changed.wait()
        return None

    def _take(self) -> Item | None:
        if self._texts:
            return self._texts.popleft()
        has_credit = not self._acknowledges or len(self._unacknowledged) < CREDIT
        if self._frames and has_credit:
            return self._take_frames()
        if self._picture is not None and not self._frames:
            picture, self._picture = self._picture, None
            return picture
        if self._state is not None and (not self._frames or not has_credit):
            state, self._state = self._state, None
            return state
        return None

    def _take_frames(self) -> bytes:
        epoch = self._frames[0][0].epoch
        taken: list[tuple[Frame, bytes]] = []
        while self._frames and self._frames[0][0].epoch == epoch:
            taken.append(self._frames.popleft())
        self._bytes -= sum(len(frame.payload) for frame, _ in taken)
        skipped, self._skipped = self._skipped, 0
        if self._acknowledges:
            self._unacknowledged.append(taken[-1][0].last)
        if len(taken) == 1 and skipped == 0:
            return taken[0][1]
        return encode(join([frame for frame, _ in taken], skipped))
