"""One run's meeting point: what the server knows of it now, its viewers, its trainer's port. No I/O.

Everything here belongs to the event loop's thread.
"""

import asyncio
import json
import struct
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from livegrad.errors import Forbidden
from livegrad.lifecycle import LIVE, State
from livegrad.protocol import VERSION, Frame, encode, plain_number
from livegrad.runs.feed import Feed
from livegrad.runs.trainer_session import Port
from livegrad.store.log import Entry

MAX_VIEWERS = 100
INBOX_BYTES = 16 * 1024 * 1024  # beyond it, nothing more is read from the trainer until some is committed
Message = dict[str, Any]
_LOSSES = struct.Struct("<2f")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something the trainer sent: a frame with its bytes as they came, or a message."""

    epoch: int
    frame: Frame | None = None
    encoded: bytes = b""
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What PyTorch holds at this moment, as far as the log knows: one record or picture."""

    frame: Frame
    phase: str
    grad_states: list[str]


class Meeting:
    """A run as the server has it in hand."""

    def __init__(self, entry: Entry, newest: Frame | None) -> None:
        self.entry = entry
        self.newest = newest  # its last committed record
        self.picture: Frame | None = None  # of a half-done iteration, while the loop is held there
        self.phase = "step"
        self.grad_states = grad_states_between(entry)
        self.loss: float | str | None = None
        self.validation_loss: float | str | None = None
        self.feeds: set[Feed] = set()
        self.port: Port | None = None  # set while its trainer is connected
        self.inbox: deque[Arrival] = deque()
        self.inbox_bytes = 0
        self.room = asyncio.Event()  # is there room in the inbox?
        self.room.set()
        self.changed = asyncio.Condition()
        self.is_deleted = False
        self.trouble: str | None = None  # why the log cannot be written, as a message, while it cannot
        if newest is not None:
            self._note_losses(newest)

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self.entry.id

    @property
    def is_live(self) -> bool:
        """Return whether a trainer is at work on it, or about to be."""
        return self.entry.state in LIVE

    @property
    def step(self) -> int:
        """Return the last committed step; 0 before there is any."""
        return max(self.entry.last_step, self.entry.first_step)

    def as_json(self) -> Message:
        """Return the Run of the contract."""
        entry = self.entry
        return {
            "id": entry.id,
            "name": entry.name,
            "config": entry.config,
            "state": entry.state,
            "phase": self.phase,
            "step": self.step,
            "loss": self.loss,
            "validation_loss": self.validation_loss,
            "lr": entry.lr,
            "pace": entry.pace,
            "reason": entry.reason,
            "created_at": datetime.fromtimestamp(entry.created_at, UTC).isoformat().replace("+00:00", "Z"),
            "epoch": entry.epoch,
            "first_step": entry.first_step,
            "parent": None if entry.parent is None else {"run": entry.parent, "step": entry.parent_step},
            "grad_states": self.grad_states,
        }

    def standing(self) -> Standing:
        """Return what `param` and `param.grad` are now. Raises Forbidden before the first record."""
        if self.picture is not None:
            return Standing(self.picture, self.phase, self.grad_states)
        if self.newest is None:
            raise Forbidden(f"run {self.id} is {self.entry.state}: it has no parameters yet")
        return Standing(self.newest, "step", self.grad_states)

    # -- viewers

    def hello(self) -> str:
        """Return the message that tells a viewer how to read what follows."""
        entry = self.entry
        return json.dumps(
            {
                "kind": "hello",
                "version": VERSION,
                "run": self.as_json(),
                "columns": [column.as_json() for column in entry.columns],
                "record_bytes": entry.record_bytes,
                "dtype": "float32",
            }
        )

    def join(self, acknowledges: bool) -> Feed:
        """Add a viewer: hello, the newest record, then live. Raises Forbidden beyond the limit."""
        if len(self.feeds) >= MAX_VIEWERS:
            raise Forbidden(
                f"run {self.id} has {MAX_VIEWERS} viewers already: the most that one run may have"
            )
        feed = Feed(acknowledges)
        feed.offer_text(self.hello())
        if self.trouble is not None:
            feed.offer_text(self.trouble)
        if self.newest is not None:
            feed.offer(self.newest, encode(self.newest))
        if self.picture is not None:
            feed.offer_picture(encode(self.picture))
        self.feeds.add(feed)
        return feed

    def leave(self, feed: Feed) -> None:
        """Remove a viewer."""
        feed.close()
        self.feeds.discard(feed)

    def tell_hello(self) -> None:
        """Tell every viewer how to read the records, now that it is known."""
        text = self.hello()
        for feed in self.feeds:
            feed.offer_text(text)

    def tell_state(self) -> None:
        """Tell every viewer how the run stands."""
        text = json.dumps({"kind": "state", **self.as_json()})
        for feed in self.feeds:
            feed.offer_state(text)

    def tell_error(self, title: str, detail: str) -> None:
        """Tell every viewer that something went wrong that is not the run's end."""
        text = _error(title, detail)
        for feed in self.feeds:
            feed.offer_text(text)

    def tell_trouble(self, title: str, detail: str, lasts: bool) -> None:
        """Tell every viewer of a trouble with the log, or of its end; while it lasts, those who join later too."""
        self.trouble = _error(title, detail) if lasts else None
        self.tell_error(title, detail)

    # -- what the trainer sent

    def receive(self, arrival: Arrival) -> None:
        """Put an arrival into the inbox."""
        self.inbox.append(arrival)
        self.inbox_bytes += len(arrival.encoded)
        if self.inbox_bytes > INBOX_BYTES:
            self.room.clear()

    def take_inbox(self) -> list[Arrival]:
        """Return all arrivals and empty the inbox."""
        arrivals = list(self.inbox)
        self.inbox.clear()
        self.inbox_bytes = 0
        self.room.set()
        return arrivals

    def publish(self, frame: Frame, encoded: bytes) -> None:
        """Show committed records to every viewer."""
        self.entry.last_step = frame.last
        self.newest = frame.newest()
        self.picture = None
        self._note_losses(self.newest)
        self.phase = "step"
        self.grad_states = grad_states_between(self.entry)
        for feed in self.feeds:
            feed.offer(frame, encoded)

    def publish_picture(self, frame: Frame, encoded: bytes) -> None:
        """Show the picture of a half-done iteration to every viewer."""
        self.picture = frame
        for feed in self.feeds:
            feed.offer_picture(encoded)

    def note_status(self, status: Message) -> None:
        """Take over what the trainer says of the run."""
        self.phase = status["phase"]
        self.grad_states = status["grad_states"]
        self.entry.state = State(status["state"])
        self.entry.reason = None
        self.entry.goal = status.get("goal")
        self.entry.lr, self.entry.pace = status["lr"], status["pace"]
        if self.phase == "step":
            self.picture = None
        if self.step > 0 or self.phase != "step":
            self.loss, self.validation_loss = _known(status["loss"], self.step), status["validation_loss"]

    def _note_losses(self, frame: Frame) -> None:
        if frame.last > 0:
            loss, validation_loss = _LOSSES.unpack_from(frame.payload)
            self.loss, self.validation_loss = plain_number(loss), plain_number(validation_loss)


def _error(title: str, detail: str) -> str:
    return json.dumps({"kind": "error", "title": title, "detail": detail})


def _known(loss: float | str, step: int) -> float | str | None:
    # Before the first iteration has a loss, there is none: that is not a NaN that training ran into.
    return None if loss == "nan" and step == 0 else loss


def grad_states_between(entry: Entry) -> list[str]:
    """Return every parameter's `.grad` state between two iterations."""
    count = sum(column.role == "parameter" for column in entry.columns)
    return ["fresh" if entry.last_step > 0 else "none"] * count
