"""The link loses nothing.

Whatever the server does to its connection, every record arrives, in order.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from livegrad.assignment import Address
from livegrad.protocol import PHASE, RECORDS, Frame, decode, encode
from livegrad.training.link import Link
from livegrad.training.observer import Ring

GREETING = {"kind": "hello", "epoch": 1}
Talk = Callable[[ServerConnection], None]


class Hub:
    """A server that keeps records as the real one does, and treats connection n as the n-th talk
    says.
    """

    def __init__(self, *talks: Talk) -> None:
        self.steps: list[float] = []
        self.messages: list[dict[str, Any]] = []
        self.seq = 0  # how many messages are logged
        self.connections = 0
        self.done = threading.Event()  # set once a message says "done"
        self._talks = talks

    def handle(self, socket: ServerConnection) -> None:
        number, self.connections = self.connections, self.connections + 1
        with suppress(ConnectionClosed):
            assert json.loads(socket.recv()) == GREETING
            socket.send(
                json.dumps({"kind": "welcome", "step": len(self.steps) - 1, "seq": self.seq})
            )
            self._talks[min(number, len(self._talks) - 1)](socket)

    def take(self, socket: ServerConnection, acknowledges: bool = True) -> None:
        """Take one message in."""
        data = socket.recv()
        if isinstance(data, bytes):
            if (frame := decode(data)).kind == RECORDS:
                self._keep(frame)
                self._log(socket, acknowledges)
            return
        self.messages.append(message := json.loads(data))
        if message["kind"] not in ("standing", "pong"):
            self._log(socket, acknowledges)
        if message["kind"] == "done":
            self.done.set()

    def _log(self, socket: ServerConnection, acknowledges: bool) -> None:
        self.seq += 1
        if acknowledges:
            socket.send(json.dumps({"kind": "ack", "step": len(self.steps) - 1, "seq": self.seq}))

    def _keep(self, frame: Frame) -> None:
        assert frame.first <= len(self.steps), "a gap"
        values = np.frombuffer(frame.payload, np.float32).tolist()
        self.steps += values[len(self.steps) - frame.first :]

    def take_all(self, socket: ServerConnection) -> None:
        while True:
            self.take(socket)


@contextmanager
def linked(
    hub: Hub,
    ended: Callable[[], None] = lambda: None,
    on_message: Callable[[dict[str, Any]], None] = lambda message: None,
) -> Iterator[tuple[Link, Ring, Server]]:
    ring = Ring(64)
    with serve(hub.handle, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        address = Address(f"ws://127.0.0.1:{port}/", "secret", 1)
        link = Link(address, ring, 0, GREETING, on_message, ended)
        link.start()
        try:
            yield link, ring, server
        finally:
            link.close(10)
            server.shutdown()


def write(ring: Ring, link: Link, count: int) -> threading.Thread:
    """Write records on a thread of its own, as training does: it may have to wait."""

    def put() -> None:
        for number in range(count):
            ring.put(np.float32(number).tobytes())
            link.tend()

    writer = threading.Thread(target=put, daemon=True)
    writer.start()
    return writer


def write_all(ring: Ring, link: Link, count: int) -> None:
    writer = write(ring, link, count)
    writer.join(20)
    assert not writer.is_alive(), "training waits for ever"


def test_everything_arrives_in_order_and_what_is_said_comes_after_it() -> None:
    hub = Hub(lambda socket: hub.take_all(socket))
    with linked(hub) as (link, ring, _):
        write_all(ring, link, 1000)
        link.say({"kind": "done"})
        assert hub.done.wait(20)
        assert hub.steps == list(range(1000))


def test_what_is_said_does_not_wait_for_the_next_frame_of_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("livegrad.training.link.INTERVAL_SECS", 60.0)
    hub = Hub(lambda socket: hub.take_all(socket))
    with linked(hub) as (link, ring, _):
        for _ in range(3):
            write_all(ring, link, 1)
            link.say({"kind": "word"})
        link.say({"kind": "done"})
        assert hub.done.wait(20)
        assert len(hub.steps) == 3


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012])
@pytest.mark.parametrize("acknowledges", [True, False])
def test_a_connection_that_is_lost_however_costs_no_record(code: int, acknowledges: bool) -> None:
    def drop(socket: ServerConnection) -> None:
        hub.take(socket, acknowledges)
        if code == 1006:
            socket.socket.close()
        else:
            socket.close(code)

    hub = Hub(drop, drop, lambda socket: hub.take_all(socket))
    with linked(hub) as (link, ring, _):
        write_all(ring, link, 300)
        link.say({"kind": "done"})
        assert hub.done.wait(20)
        assert hub.steps == list(range(300))
        assert hub.connections == 3


def test_without_acknowledgements_training_waits_and_nothing_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("livegrad.training.link.UNACKNOWLEDGED_BYTES", 400)  # 100 records
    resumes = threading.Event()

    def talk(socket: ServerConnection) -> None:
        while not resumes.is_set():
            with suppress(TimeoutError):
                data = socket.recv(timeout=0.05)
                assert isinstance(data, bytes)
                hub._keep(decode(data))
                hub.seq += 1
        socket.send(json.dumps({"kind": "ack", "step": len(hub.steps) - 1, "seq": hub.seq}))
        hub.take_all(socket)

    hub = Hub(talk)
    with linked(hub) as (link, ring, _):
        writer = write(ring, link, 2000)
        while len(hub.steps) < 100 or len(ring) < 64:
            time.sleep(0.01)
        time.sleep(0.1)
        assert writer.is_alive()
        assert len(ring) == 64
        assert len(hub.steps) <= 100 + 64
        resumes.set()
        writer.join(20)
        link.say({"kind": "done"})
        assert hub.done.wait(20)
        assert hub.steps == list(range(2000))


@pytest.mark.parametrize("code", [4403, 4404, 4409])
def test_a_server_that_refuses_it_ends_it(code: int) -> None:
    ended = threading.Event()
    hub = Hub(lambda socket: socket.close(code))
    with linked(hub, ended.set):
        assert ended.wait(20)
        assert hub.connections == 1


def test_it_answers_pings() -> None:
    def talk(socket: ServerConnection) -> None:
        socket.send('{"kind": "ping"}')
        hub.take_all(socket)

    hub = Hub(talk)
    with linked(hub) as (link, _, _):
        link.say({"kind": "done"})
        assert hub.done.wait(20)
        while {"kind": "pong"} not in hub.messages:
            time.sleep(0.01)


def test_a_command_is_heard_between_two_steps_by_whoever_trains() -> None:
    def talk(socket: ServerConnection) -> None:
        hub.take(socket)
        socket.send('{"kind": "command", "id": 1}')
        hub.take_all(socket)

    hub, heard = Hub(talk), threading.Event()
    threads: list[str] = []

    def note(message: dict[str, Any]) -> None:
        threads.append(threading.current_thread().name)
        heard.set()

    with linked(hub, on_message=note) as (link, ring, _):
        ring.put(np.float32(0).tobytes())
        while not heard.is_set():
            link.tend()
        assert threads == [threading.current_thread().name]


def test_while_an_iteration_takes_long_records_go_out_and_pings_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("livegrad.training.link.STAND_IN_SECS", 0.02)

    def talk(socket: ServerConnection) -> None:
        hub.take(socket)
        socket.send('{"kind": "ping"}')
        hub.take_all(socket)

    hub = Hub(talk)
    with linked(hub) as (_, ring, _):
        ring.put(np.float32(0).tobytes())  # and no boundary after it: this thread is busy
        end = time.monotonic() + 20
        while {"kind": "pong"} not in hub.messages and time.monotonic() < end:
            time.sleep(0.01)
        assert hub.steps == [0.0]
        assert {"kind": "pong"} in hub.messages


def test_whoever_waits_for_a_command_is_woken_by_it() -> None:
    def talk(socket: ServerConnection) -> None:
        hub.take(socket)
        time.sleep(0.2)
        socket.send('{"kind": "command", "id": 1}')
        hub.take_all(socket)

    hub, heard = Hub(talk), threading.Event()
    with linked(hub, on_message=lambda message: heard.set()) as (link, _, _):
        link.say({"kind": "ready"})
        assert not link.wait_for(heard, 0.01)
        assert link.wait_for(heard, 20)


def test_a_server_that_is_not_there_is_waited_for_and_a_held_loop_goes_on() -> None:
    heard = threading.Event()

    def talk(socket: ServerConnection) -> None:
        socket.send('{"kind": "command", "id": 1}')
        hub.take_all(socket)

    hub = Hub(lambda socket: socket.socket.close(), talk)
    with linked(hub, on_message=lambda message: heard.set()) as (link, _, _):
        assert link.wait_for(heard, 20)
        assert hub.connections == 2


def test_close_waits_until_the_last_record_is_committed() -> None:
    hub = Hub(lambda socket: hub.take_all(socket))
    with linked(hub) as (link, ring, _):
        write_all(ring, link, 50)
        link.close(10)
        assert hub.steps == list(range(50))


@pytest.mark.parametrize("taken", [1, 2, 3, 4])
@pytest.mark.parametrize("acknowledges", [True, False])
def test_after_a_reconnect_each_message_comes_once_more_in_order_unless_it_is_logged(
    taken: int, acknowledges: bool
) -> None:
    def drop(socket: ServerConnection) -> None:
        for _ in range(taken):
            hub.take(socket, acknowledges)
        socket.socket.close()

    hub = Hub(drop, lambda socket: hub.take_all(socket))
    with linked(hub) as (link, ring, _):
        for number in range(4):
            write_all(ring, link, 1)
            link.say({"kind": "word", "number": number})
        link.say({"kind": "done"})
        assert hub.done.wait(20)
        assert [said["number"] for said in hub.messages if said["kind"] == "word"] == [0, 1, 2, 3]


def test_after_a_reconnect_it_says_how_it_stands_although_that_is_logged() -> None:
    def drop(socket: ServerConnection) -> None:
        hub.take(socket)
        socket.socket.close()

    hub = Hub(drop, lambda socket: hub.take_all(socket))
    with linked(hub) as (link, _, _):
        link.say({"kind": "state", "state": "paused"})
        while hub.connections < 2:
            time.sleep(0.01)
        link.say({"kind": "done"})
        assert hub.done.wait(20)
        assert hub.messages[:2] == [
            {"kind": "state", "state": "paused"},
            {"kind": "standing", "state": "paused"},
        ]


def test_what_is_said_goes_out_although_nothing_is_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("livegrad.training.link.UNACKNOWLEDGED_BYTES", 4)

    def talk(socket: ServerConnection) -> None:
        while not hub.done.is_set():
            hub.take(socket, acknowledges=False)
        socket.send(json.dumps({"kind": "ack", "step": len(hub.steps) - 1, "seq": hub.seq}))
        hub.take_all(socket)

    hub = Hub(talk)
    with linked(hub) as (link, ring, _):
        said = threading.Event()

        def put() -> None:
            for number in range(100):
                ring.put(np.float32(number).tobytes())
                link.tend(lambda: None if said.is_set() else say())

        def say() -> None:  # the ring is full: nothing is logged, and still a command is answered
            said.set()
            link.say({"kind": "done"})

        writer = threading.Thread(target=put, daemon=True)
        writer.start()
        assert hub.done.wait(20)
        writer.join(20)
        assert not writer.is_alive()


def test_a_picture_is_sent_between_records_and_again_after_a_reconnect() -> None:
    pictures: list[str | bytes] = []

    def drop(socket: ServerConnection) -> None:
        pictures.append(socket.recv())
        socket.socket.close()

    def keep(socket: ServerConnection) -> None:
        pictures.append(socket.recv())
        hub.take_all(socket)

    hub = Hub(drop, keep)
    picture = Frame(PHASE, 1, 0, 1, 0, 1.0, np.float32(7).tobytes())
    with linked(hub) as (link, _, _):
        link.show(picture)
        end = time.monotonic() + 20
        while len(pictures) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        link.say({"kind": "done"})
        assert hub.done.wait(20)
    assert pictures == [encode(picture)] * 2


def test_a_server_that_refuses_the_trainer_ends_it() -> None:
    ended = threading.Event()
    hub = Hub(lambda socket: socket.close(4409, "a newer trainer"))
    with linked(hub, ended.set) as (_, _, _):
        assert ended.wait(20)
    assert hub.connections == 1


def test_a_server_that_does_not_come_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livegrad.training.link.GIVE_UP_SECS", 0.3)
    ended = threading.Event()
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = Address(f"ws://127.0.0.1:{unheard.getsockname()[1]}/", "secret", 1)
        link = Link(address, Ring(8), 0, GREETING, lambda message: None, ended.set)
        link.start()
        assert ended.wait(20)
        link.close(1)


def test_a_link_that_was_never_connected_is_closed_at_once() -> None:
    ended = threading.Event()
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = Address(f"ws://127.0.0.1:{unheard.getsockname()[1]}/", "secret", 1)
        link = Link(address, Ring(8), 0, GREETING, lambda message: None, ended.set)
        link.start()
        time.sleep(0.05)
        begun = time.monotonic()
        link.close(5)
        assert time.monotonic() - begun < 10
    assert not ended.is_set()  # nobody gave up: it was asked to end


def test_a_server_that_says_no_welcome_is_left_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("livegrad.training.link.WELCOME_SECS", 0.1)
    silent = True

    class Silent(Hub):
        def handle(self, socket: ServerConnection) -> None:
            nonlocal silent
            if silent:
                silent = False
                with suppress(ConnectionClosed):
                    while True:
                        socket.recv()
            super().handle(socket)

    hub = Silent(lambda socket: hub.take_all(socket))
    with linked(hub) as (link, _, _):
        link.say({"kind": "done"})
        assert hub.done.wait(20)


def test_an_address_that_is_none_ends_the_trainer_rather_than_letting_it_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raised: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", raised.append)
    ended = threading.Event()
    address = Address("wss://127.0.0.1/", "secret", 1)
    link = Link(address, Ring(8), 0, GREETING, lambda message: None, ended.set)
    link.start()
    assert ended.wait(20)
    link._thread.join(20)
    assert [error.exc_type for error in raised] == [ValueError]
