"""The trainer's end of the websocket: sends records, receives commands. Knows nothing of PyTorch.

The training thread itself sends and receives, between two steps: a separate thread would compete
with training for the interpreter lock, which cost a tenth of the speed. Another thread connects,
and takes over while an iteration lasts long.

Records and messages are kept, in order, until the server has logged them. After a lost connection
those that are not logged are sent again, so that each is logged exactly once. The amount is
bounded: with too much unacknowledged, nothing more is taken out of the ring, and training waits.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from livegrad.assignment import Address
from livegrad.protocol import MAX_TRAINER_MESSAGE_BYTES, Frame, encode
from livegrad.training.connection import Connection, Lost
from livegrad.training.observer import Ring, records_frame

TURN_SECS = 0.007  # between two looks at the connection at full speed: a command waits no longer
# between two frames at full speed (60 or more per second); a single record is sent at once
INTERVAL_SECS = 0.014
STAND_IN_SECS = 0.25  # the link's thread takes over if training reaches no boundary for this long
UNACKNOWLEDGED_BYTES = 4 * 1024 * 1024
GIVE_UP_SECS = 5.0  # the trainer ends after this long without a server
WELCOME_SECS = 10.0
RETRY_SECS = 0.2
# HTTP or websocket codes after which it is no use to try again
REFUSALS = frozenset({401, 403, 404, 409, 4403, 4404, 4409})

Message = dict[str, Any]


class Link:
    """Carries messages to the server, and the server's commands to `on_message`.

    `greeting` is the hello message, which is repeated after every reconnect. `on_end()` is called
    when the server is gone for good, or refuses this trainer.
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
        self._next_step = first_step  # the step of the next record to come out of the ring
        # messages of the training thread, not yet sent
        self._outbox: deque[Message | Frame] = deque()
        self._unacknowledged: deque[Frame | Message] = deque()  # sent and not yet logged, in order
        self._unacknowledged_bytes = 0  # of the frames among them
        self._logged = 0  # the number of this trainer's frames and messages that are logged
        self._last_status: Message | None = None  # the last state, repeated after a reconnect
        # the picture of a half-done iteration, if nothing was sent after it
        self._last_picture: Frame | None = None
        self._closing = False
        self._turn = threading.RLock()  # held by the thread that sends and receives
        # set by the link's thread, cleared by the thread that finds it lost
        self._connection: Connection | None = None
        self._loss: Lost | None = None  # how the last connection was lost
        self._changed = threading.Condition(
            self._turn
        )  # notified when a connection is made or lost
        self._has_ended = False  # there will be no further connection
        self._turn_due = self._records_due = 0.0  # monotonic times
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    # -- the training thread

    def start(self) -> None:
        """Start to connect in the background."""
        self._thread.start()

    def say(self, message: Message) -> None:
        """Send `message` after every record written so far."""
        self._outbox.append(message)
        self._take_turn()

    def show(self, picture: Frame) -> None:
        """Send a picture of a half-done iteration."""
        self._outbox.append(picture)
        self._take_turn()

    def tend(self, while_waiting: Callable[[], None] = lambda: None) -> None:
        """Send and receive what is due, and wait while there is no room for another record.

        The call is cheap when nothing is due. `while_waiting()` is called repeatedly during the
        wait.
        """
        if time.monotonic() >= self._turn_due:
            self._take_turn()
        while self._ring.is_full:
            self._wait_a_turn(TURN_SECS)
            while_waiting()

    def wait_for(self, event: threading.Event, secs: float | None) -> bool:
        """Send and receive until `event` is set; return whether it is set.

        Waits `secs` at most; None means without limit.
        """
        end = None if secs is None else time.monotonic() + secs
        while not event.is_set() and (end is None or time.monotonic() < end):
            self._wait_a_turn(None if end is None else end - time.monotonic(), event)
        return event.is_set()

    def close(self, timeout: float) -> None:
        """Send the rest, wait `timeout` seconds at most for its acknowledgement, and disconnect."""
        self._closing = True
        end = time.monotonic() + timeout
        while not self._is_empty() and not self._has_ended and time.monotonic() < end:
            self._wait_a_turn(end - time.monotonic())
        with self._turn:
            self._has_ended = True
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._changed.notify_all()
        self._thread.join(max(end - time.monotonic(), RETRY_SECS))

    def _wait_a_turn(self, secs: float | None, event: threading.Event | None = None) -> None:
        # Takes a turn, then waits for the next reason for one. The turn is held, so nobody can set
        # `event` unnoticed.
        with self._turn:
            self._send_and_receive()
            if (event is not None and event.is_set()) or (self._closing and self._is_empty()):
                return
            if self._connection is None:
                self._changed.wait(secs)
            else:
                self._connection.wait(self._until_due(secs))

    def _until_due(self, secs: float | None) -> float | None:
        if not self._ring or self._is_held_up():
            return secs
        due = self._records_due - time.monotonic()
        return due if secs is None else min(secs, due)

    # -- the link's thread

    def _run(self) -> None:
        try:
            self._connect_and_attend()
        except BaseException:  # otherwise training would wait for a connection that nobody makes
            self._end()
            self._on_end()
            raise

    def _connect_and_attend(self) -> None:
        lost_at = time.monotonic()
        while time.monotonic() - lost_at < GIVE_UP_SECS:
            try:
                connection = self._connect()
            except Lost as loss:
                if loss.code in REFUSALS:
                    break
                if self._closing:
                    self._end()
                    return
            else:
                self._attend(connection)
                if self._has_ended:
                    return
                if self._loss is not None and self._loss.code in REFUSALS:
                    break
                lost_at = time.monotonic()
            time.sleep(RETRY_SECS)
        self._end()
        self._on_end()

    def _end(self) -> None:
        with self._turn:
            self._has_ended = True
            self._changed.notify_all()

    def _connect(self) -> Connection:
        headers = {"Authorization": f"Bearer {self._address.secret}"}
        connection = Connection(self._address.url, headers, MAX_TRAINER_MESSAGE_BYTES)
        try:
            connection.send(json.dumps(self._greeting))
            texts = _first_words(connection)
            with self._turn:
                self._begin(connection, texts)
        except Lost:
            connection.drop()
            raise
        return connection

    def _begin(self, connection: Connection, texts: list[str]) -> None:
        if self._has_ended:
            raise Lost("the link was closed in the meantime")
        welcome, *rest = (json.loads(text) for text in texts)
        self._acknowledge(welcome["seq"])
        for each in self._unacknowledged:
            connection.send(_encoded(each))
        if self._last_picture is not None:
            connection.send(encode(self._last_picture))
        if self._last_status is not None:
            connection.send(json.dumps(self._last_status | {"kind": "standing"}))
        for message in rest:
            self._hear(connection, message)
        self._connection = connection
        self._turn_due = self._records_due = 0.0
        self._changed.notify_all()

    def _attend(self, connection: Connection) -> None:
        # Runs until the connection is lost. Normally the training thread takes its turn at
        # boundaries; this thread does so only when it is late.
        with self._turn:
            while self._connection is connection:
                self._changed.wait(STAND_IN_SECS)
                if time.monotonic() > self._turn_due + STAND_IN_SECS:
                    self._send_and_receive()

    # -- the thread that has the turn

    def _take_turn(self) -> None:
        with self._turn:
            self._send_and_receive()

    def _send_and_receive(self) -> None:
        now = time.monotonic()
        self._turn_due = now + TURN_SECS
        if (connection := self._connection) is None:
            return
        try:
            for text in connection.receive():
                self._hear(connection, json.loads(text))
            if not self._is_held_up() or self._has_answer(connection):
                self._send(connection, now)
        except Lost as loss:
            connection.drop()
            self._connection, self._loss = None, loss
            self._changed.notify_all()

    def _hear(self, connection: Connection, message: Message) -> None:
        match message["kind"]:
            case "ack":
                self._acknowledge(message["seq"])
            case "ping":
                connection.send('{"kind": "pong"}')
            case _:
                self._on_message(message)

    def _acknowledge(self, seq: int) -> None:
        while self._unacknowledged and self._logged < seq:
            self._logged += 1
            if isinstance(logged := self._unacknowledged.popleft(), Frame):
                self._unacknowledged_bytes -= len(logged.payload)

    def _send(self, connection: Connection, now: float) -> None:
        # Records may wait for more records, but an answer to a command may not. Messages
        # are counted before the records are taken: each follows every record written before it.
        said = len(self._outbox)
        if said or now >= self._records_due or self._closing or self._ring.is_full:
            self._send_records(connection)
        for _ in range(said):
            self._send_said(connection, self._outbox.popleft())

    def _is_held_up(self) -> bool:
        is_choked = self._connection is not None and self._connection.is_choked
        return is_choked or self._unacknowledged_bytes >= UNACKNOWLEDGED_BYTES

    def _has_answer(self, connection: Connection) -> bool:
        # While the log cannot be written, the answer to a command is still sent, with the few
        # records before it.
        return bool(self._outbox) and not connection.is_choked

    def _is_empty(self) -> bool:
        return not self._outbox and not self._ring and not self._unacknowledged

    def _send_records(self, connection: Connection) -> None:
        count, data, finished_at = self._ring.take()
        if count == 0:
            return
        self._next_step += count
        frame = records_frame(count, data, self._next_step - 1, self._address.epoch, finished_at)
        self._unacknowledged.append(frame)
        self._unacknowledged_bytes += len(frame.payload)
        self._last_picture = None
        self._records_due = time.monotonic() + INTERVAL_SECS
        connection.send(encode(frame))

    def _send_said(self, connection: Connection, said: Message | Frame) -> None:
        if isinstance(said, Frame):
            self._last_picture = said
            connection.send(encode(said))
            return
        if said["kind"] == "state":
            self._last_status = said
        self._unacknowledged.append(said)
        connection.send(json.dumps(said))


def _encoded(sent: Message | Frame) -> str | bytes:
    return encode(sent) if isinstance(sent, Frame) else json.dumps(sent)


def _first_words(connection: Connection) -> list[str]:
    end = time.monotonic() + WELCOME_SECS
    while not (texts := connection.receive()):
        if time.monotonic() > end:
            raise Lost(f"no welcome within {WELCOME_SECS:.0f} s")
        connection.wait(WELCOME_SECS)
    return texts
