"""One live run in memory: its state, its viewers, its trainer's connection. No I/O.

Only the event loop's thread may use this module.
"""

import json
import struct
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from livegrad.errors import Forbidden
from livegrad.lifecycle.events import Event
from livegrad.lifecycle.machine import Next, advance
from livegrad.lifecycle.states import RunState, allowed
from livegrad.protocol import (
    VERSION,
    Column,
    Frame,
    GradState,
    encode,
    grad_states_of,
    plain_number,
)
from livegrad.runs.commands import Commands
from livegrad.runs.feed import Feed
from livegrad.runs.trainer_messages import Status
from livegrad.runs.trainer_session import TrainerSession
from livegrad.store.entry import Entry

MAX_VIEWERS = 100
_LOSSES = struct.Struct("<2f")


@dataclass(frozen=True, slots=True)
class Standing:
    """What PyTorch holds at this moment according to the log: one record or picture."""

    frame: Frame
    phase: str
    grad_states: list[GradState]


class LiveRun:
    """A live run. Only events change `life`; everything else here follows from what was logged."""

    def __init__(self, entry: Entry, newest: Frame | None) -> None:
        self.life = RunState(
            entry.state,
            entry.epoch,
            entry.last_step,
            entry.reason,
            entry.goal,
            entry.lr,
            entry.pace,
            entry.seq,
        )
        self.newest = newest  # the last logged record
        self.picture: Frame | None = None  # of a half-done iteration, while the loop is held there
        self.phase = "step"
        self.loss: float | str | None = None
        self.validation_loss: float | str | None = None
        self.feeds: set[Feed] = set()
        self.session: TrainerSession | None = None  # set while the trainer is connected
        self.commands = Commands()
        # the message why the log cannot be written, while it cannot
        self.trouble: str | None = None
        # as it was when the run was loaded, with the columns learnt since
        self._entry = entry
        self.grad_states = self._grad_states_between()
        if newest is not None:
            self._note_losses(newest)

    def advance(self, event: Event) -> Next:
        """Apply `event`; return the state after it and its effects."""
        self.life, effects = advance(self.life, event)
        return self.life, effects

    @property
    def id(self) -> str:
        """Return the run's id."""
        return self._entry.id

    @property
    def entry(self) -> Entry:
        """Return the run as it is now, with the displayed state."""
        life = self.life
        return replace(
            self._entry,
            state=life.shown,
            reason=life.reason,
            epoch=life.epoch,
            last_step=life.last_step,
            goal=life.goal,
            lr=life.lr,
            pace=life.pace,
            seq=life.seq,
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns of a record; an empty tuple before the first trainer has sent them."""
        return self._entry.columns

    @property
    def step(self) -> int:
        """Return the last logged step, or the first step before there is any."""
        return max(self.life.last_step, self._entry.first_step)

    @property
    def secret(self) -> str:
        """Return the hash of the current trainer's secret."""
        return self._entry.secret

    def learn_secret(self, secret: str) -> None:
        """Store the hash of a new trainer's secret."""
        self._entry.secret = secret

    def learn_columns(self, columns: tuple[Column, ...], data: dict[str, Any]) -> None:
        """Store the columns and points that the trainer has sent, now that they are logged."""
        self._entry.columns, self._entry.data = columns, data
        self.grad_states = self._grad_states_between()
        self.tell_hello()

    def as_json(self) -> dict[str, Any]:
        """Return the run as documented JSON."""
        entry, life = self._entry, self.life
        return {
            "id": entry.id,
            "name": entry.name,
            "config": entry.config or None,
            "state": life.shown,
            "allowed": allowed(life.shown),
            "phase": self.phase,
            "step": self.step,
            "loss": self.loss,
            "validation_loss": self.validation_loss,
            "lr": life.lr,
            "pace": life.pace,
            "reason": life.reason,
            "created_at": datetime.fromtimestamp(entry.created_at, UTC)
            .isoformat()
            .replace("+00:00", "Z"),
            "epoch": life.epoch,
            "first_step": entry.first_step,
            "parent": None
            if entry.parent is None
            else {"run": entry.parent, "step": entry.parent_step},
            "grad_states": self.grad_states,
        }

    def standing(self) -> Standing:
        """Return what `param` and `param.grad` are now.

        Raises Forbidden before the first record.
        """
        if self.picture is not None:
            return Standing(self.picture, self.phase, self.grad_states)
        if self.newest is None:
            raise Forbidden(f"run {self.id} is {self.life.shown}: it has no parameters yet")
        return Standing(self.newest, "step", self.grad_states)

    # -- viewers

    def hello(self) -> str:
        """Return the message that tells a viewer how to read records."""
        entry = self._entry
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
        """Add a viewer: it gets hello, the newest record, then live records.

        Raises Forbidden beyond the limit.
        """
        if len(self.feeds) >= MAX_VIEWERS:
            raise Forbidden(
                f"run {self.id} already has {MAX_VIEWERS} viewers, the limit of one run"
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
        """Send hello to every viewer, once the columns are known."""
        text = self.hello()
        for feed in self.feeds:
            feed.offer_text(text)

    def tell_state(self) -> None:
        """Send the run's state to every viewer."""
        text = json.dumps({"kind": "state", **self.as_json()})
        for feed in self.feeds:
            feed.offer_state(text)

    def tell_error(self, title: str, detail: str) -> None:
        """Tell every viewer of a problem that does not end the run."""
        text = _error(title, detail)
        for feed in self.feeds:
            feed.offer_text(text)

    def tell_trouble(self, title: str, detail: str, lasts: bool) -> None:
        """Tell every viewer that trouble with the log began or ended.

        If it `lasts`, viewers who join later are told too.
        """
        self.trouble = _error(title, detail) if lasts else None
        self.tell_error(title, detail)

    # -- messages of the trainer, once they are logged

    def publish(self, frame: Frame, encoded: bytes) -> None:
        """Send logged records to every viewer."""
        self.newest = frame.newest()
        self.picture = None
        self._note_losses(self.newest)
        self.phase = "step"
        self.grad_states = self._grad_states_between()
        for feed in self.feeds:
            feed.offer(frame, encoded)

    def publish_picture(self, frame: Frame, encoded: bytes) -> None:
        """Send the picture of a half-done iteration to every viewer."""
        self.picture = frame
        for feed in self.feeds:
            feed.offer_picture(encoded)

    def note_status(self, status: Status) -> None:
        """Store the trainer's position in the iteration."""
        self.phase = status.phase
        self.grad_states = list(status.grad_states)
        if self.phase == "step":
            self.picture = None
        if self.step > 0 or self.phase != "step":
            self.loss, self.validation_loss = _known(status.loss, self.step), status.validation_loss

    def forget_phase(self) -> None:
        """Return to the boundary between iterations, because the trainer inside one is gone."""
        self.phase, self.picture = "step", None
        self.grad_states = self._grad_states_between()
        if self.newest is not None:
            self._note_losses(self.newest)

    def _grad_states_between(self) -> list[GradState]:
        # Every parameter's `.grad` between two iterations.
        if self.newest is None:
            return ["none"] * sum(column.role == "parameter" for column in self.columns)
        return grad_states_of(self.newest.last, self.newest.payload, self.columns)

    def _note_losses(self, frame: Frame) -> None:
        if frame.last > 0:
            loss, validation_loss = _LOSSES.unpack_from(frame.payload)
            self.loss, self.validation_loss = plain_number(loss), plain_number(validation_loss)


def _error(title: str, detail: str) -> str:
    return json.dumps({"kind": "error", "title": title, "detail": detail})


def _known(loss: float | str, step: int) -> float | str | None:
    # Before the first iteration there is no loss; this is not a NaN that training produced.
    return None if loss == "nan" and step == 0 else loss
