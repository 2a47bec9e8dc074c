"""One viewer's mailbox: bounded, the newest record wins, and skipped steps are counted.

Knows nothing of sockets.

A viewer that keeps up gets every step. A slower one gets the newest records and the number of steps
that it skipped. Only the newest state waits, since each state describes the whole run.
"""

import asyncio
from collections import deque

from livegrad.protocol import Frame, encode, join

CREDIT = 2  # frames sent and not yet acknowledged
# Room for a few of the largest frames: a short delay of the server does not make the viewer skip
# steps.
WAITING_BYTES = 1024 * 1024
Item = bytes | str


class Feed:
    """The mailbox of one viewer.

    The `offer…` methods never wait; `next` waits for something to send and for credit.
    """

    def __init__(self, acknowledges: bool) -> None:
        self._acknowledges = acknowledges
        # each with its bytes, which all viewers share
        self._frames: deque[tuple[Frame, bytes]] = deque()
        self._bytes = 0  # of the waiting frames
        self._skipped = 0  # steps left out since the last frame sent
        # of a half-done iteration, newer than all waiting frames
        self._picture: bytes | None = None
        self._texts: deque[str] = deque()  # hellos and errors: few, never dropped
        self._state: str | None = None  # the newest state event, if it waits
        # last step of each frame that was sent and not acknowledged
        self._unacknowledged: deque[int] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._ended = asyncio.Event()  # set with `_closed`, for callers of `end`

    def offer(self, frame: Frame, encoded: bytes) -> None:
        """Add records to the mailbox; when it is full, drop the oldest."""
        self._frames.append((frame, encoded))
        self._bytes += len(frame.payload)
        self._picture = None
        while self._bytes > WAITING_BYTES and len(self._frames) > 1:
            left_out, _ = self._frames.popleft()
            self._bytes -= len(left_out.payload)
            self._skipped += left_out.count
        self._changed.set()

    def offer_picture(self, encoded: bytes) -> None:
        """Add the picture of a half-done iteration to the mailbox."""
        self._picture = encoded
        self._changed.set()

    def offer_state(self, text: str) -> None:
        """Add a state event to the mailbox, replacing an older one."""
        self._state = text
        self._changed.set()

    def offer_text(self, text: str) -> None:
        """Add a message that must not be dropped to the mailbox."""
        self._texts.append(text)
        self._changed.set()

    def acknowledge(self, step: int) -> None:
        """Return credit for every frame up to `step`."""
        while self._unacknowledged and self._unacknowledged[0] <= step:
            self._unacknowledged.popleft()
        self._changed.set()

    def close(self) -> None:
        """Close the mailbox: `next` returns None from now on."""
        self._closed = True
        self._ended.set()
        self._changed.set()

    async def end(self) -> None:
        """Wait until the mailbox is closed."""
        await self._ended.wait()

    async def next(self) -> Item | None:
        """Wait for the next item to send and return it; return None once closed."""
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
