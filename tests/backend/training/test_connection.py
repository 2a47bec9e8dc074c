"""One websocket connection against a real server.

It never keeps its caller waiting, and says how it was lost.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from livegrad.training import connection as module
from livegrad.training.connection import Connection, Lost

Talk = Callable[[ServerConnection], None]


@contextmanager
def server(talk: Talk, refuses: bool = False) -> Iterator[str]:
    def process_request(socket: ServerConnection, request: Request) -> Response | None:
        assert request.headers["Authorization"] == "Bearer secret"
        return socket.respond(HTTPStatus.FORBIDDEN, "no") if refuses else None

    def handle(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            talk(socket)

    with serve(handle, "127.0.0.1", 0, process_request=process_request) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"ws://127.0.0.1:{running.socket.getsockname()[1]}/"
        running.shutdown()


def connected(url: str) -> Connection:
    return Connection(url, {"Authorization": "Bearer secret"}, 10_000_000)


def heard(connection: Connection, count: int = 1) -> list[str]:
    texts: list[str] = []
    end = time.monotonic() + 20
    while len(texts) < count:
        assert time.monotonic() < end
        connection.wait(1)
        texts += connection.receive()
    return texts


def lost(connection: Connection) -> Lost:
    with pytest.raises(Lost) as raised:
        heard(connection, 10**6)
    connection.drop()
    return raised.value


def echo(socket: ServerConnection) -> None:
    for message in socket:
        socket.send(message if isinstance(message, str) else str(len(message)))


def test_texts_and_bytes_go_both_ways_in_order() -> None:
    with server(echo) as url:
        connection = connected(url)
        connection.send("one")
        connection.send(bytes(1000))
        connection.send("é" * 5000)
        assert heard(connection, 3) == ["one", "1000", "é" * 5000]
        connection.close()


def test_a_message_in_fragments_comes_whole() -> None:
    with server(lambda socket: socket.send(iter(["to", "geth", "er"]))) as url:
        connection = connected(url)
        assert heard(connection) == ["together"]
        connection.close()


def test_what_nobody_reads_is_kept_and_goes_out_later() -> None:
    may_read = threading.Event()

    def talk(socket: ServerConnection) -> None:
        may_read.wait(20)
        echo(socket)

    with server(talk) as url:
        connection = connected(url)
        begun = time.monotonic()
        for _ in range(20):
            connection.send(bytes(500_000))
        assert connection.is_choked
        assert time.monotonic() - begun < 5  # it never waited
        may_read.set()
        assert heard(connection, 20) == ["500000"] * 20
        assert not connection.is_choked
        connection.close()


def test_nothing_to_receive_is_no_wait_and_no_error() -> None:
    with server(echo) as url:
        connection = connected(url)
        assert connection.receive() == []
        begun = time.monotonic()
        connection.wait(0.05)
        assert time.monotonic() - begun < 5
        connection.close()


def test_a_close_by_the_server_comes_with_its_code_and_reason() -> None:
    with server(lambda socket: socket.close(4409, "a newer trainer")) as url:
        connection = connected(url)
        found = lost(connection)
    assert (str(found), found.code) == ("closed by the server: a newer trainer", 4409)
    with pytest.raises(Lost):
        connection.send("too late")


def test_what_was_said_before_the_close_is_received_first() -> None:
    def talk(socket: ServerConnection) -> None:
        socket.send("last words")
        socket.close(1000)

    with server(talk) as url:
        connection = connected(url)
        assert heard(connection) == ["last words"]
        assert lost(connection).code == 1000


def test_a_connection_that_breaks_off_is_lost_without_a_code() -> None:
    def talk(socket: ServerConnection) -> None:
        socket.socket.shutdown(2)

    with server(talk) as url:
        found = lost(connected(url))
    assert found.code is None


def test_a_refusal_comes_with_the_status() -> None:
    with server(echo, refuses=True) as url, pytest.raises(Lost) as raised:
        connected(url)
    assert raised.value.code == 403


def test_an_address_where_nobody_listens_is_lost_at_once() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(Lost, match="refused"):
            connected(f"ws://127.0.0.1:{unheard.getsockname()[1]}/")


def test_a_server_that_does_not_answer_the_handshake_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "OPEN_SECS", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(Lost, match="no answer to the handshake"),
    ):
        connected(f"ws://127.0.0.1:{silent.getsockname()[1]}/")


def test_another_program_than_ours_is_no_server() -> None:
    def answer() -> None:
        peer, _ = other.accept()
        with peer:
            peer.sendall(b"SSH-2.0-OpenSSH\r\n")

    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(Lost):
            connected(f"ws://127.0.0.1:{other.getsockname()[1]}/")


def test_an_address_that_is_not_plain_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="begins with ws://"):
        connected("wss://127.0.0.1/")


def test_a_good_bye_waits_until_the_server_has_read_everything() -> None:
    read: list[str | bytes] = []

    def talk(socket: ServerConnection) -> None:
        read.extend(socket)

    with server(talk) as url:
        connection = connected(url)
        for _ in range(200):
            connection.send(bytes(10_000))
        connection.close()
    assert len(read) == 200


def test_a_server_that_does_not_say_good_bye_is_not_waited_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CLOSE_SECS", 0.2)
    may_end = threading.Event()
    with server(lambda socket: (may_end.wait(20), None)[1]) as url:
        connection = connected(url)
        connection.send(bytes(3_000_000))  # more than the system takes: the close waits behind it
        begun = time.monotonic()
        connection.close()
        assert time.monotonic() - begun < 5
        may_end.set()
