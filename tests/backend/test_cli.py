"""Which port the server listens on, and which address it tells."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from livegrad.cli import PORTS_TRIED, _url, listen
from livegrad.errors import SettingsError
from livegrad.settings import Settings, read


@pytest.fixture
def busy() -> Iterator[Settings]:
    """Settings for a port that somebody else listens on."""
    with closing(socket.socket()) as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        settings = read([]).model_copy(update={"port": occupant.getsockname()[1]})
        settings.model_fields_set.discard("port")  # it is the default
        yield settings


def test_a_busy_default_port_gives_way_and_is_named(
    busy: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(listen(busy)) as listener:
        port = listener.getsockname()[1]
    assert busy.port < port < busy.port + PORTS_TRIED
    told = capsys.readouterr()
    assert told.err == f"livegrad: port {busy.port} is busy; using {port}\n"
    assert told.out == ""


def test_a_busy_port_that_was_asked_for_is_an_error(busy: Settings) -> None:
    with pytest.raises(SettingsError, match=f"port {busy.port}"):
        listen(read(["--port", str(busy.port)]))


def test_port_0_picks_one() -> None:
    with closing(listen(read(["--port", "0"]))) as listener:
        assert listener.getsockname()[1] > 0


def test_an_address_of_another_machine_is_an_error() -> None:
    elsewhere = read(["--port", "0", "--host", "192.0.2.1", "--token", "x" * 16])
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1"):
        listen(elsewhere)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000/"),
        ("localhost", "http://localhost:8000/"),
        ("0.0.0.0", "http://127.0.0.1:8000/"),
        ("::", "http://[::1]:8000/"),
        ("::1", "http://[::1]:8000/"),
        ("[::1]", "http://[::1]:8000/"),
    ],
)
def test_the_address_told_is_one_that_a_browser_can_open(host: str, url: str) -> None:
    assert _url(host, 8000) == url
