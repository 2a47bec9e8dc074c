"""Flags and environment become settings, checked once."""

from pathlib import Path

import pytest

from livegrad.errors import SettingsError
from livegrad.settings import is_loopback, read

TOKEN = "a-token-that-is-long-enough"


def test_the_defaults_are_loopback_port_8000_and_a_folder_of_the_user() -> None:
    settings = read([], {})
    assert (settings.host, settings.port, settings.port_was_asked_for) == ("127.0.0.1", 8000, False)
    assert settings.opens_browser
    assert settings.token is None
    assert settings.data.name == "livegrad"
    assert settings.data.is_absolute()


def test_a_flag_wins_over_its_variable() -> None:
    environment = {"LIVEGRAD_PORT": "1", "LIVEGRAD_DATA": "/one", "LIVEGRAD_MAX_RUNS": "3"}
    settings = read(["--port", "2", "--data", "/two", "--max-runs", "4"], environment)
    assert (settings.port, settings.data, settings.max_runs) == (2, Path("/two"), 4)
    assert read([], environment).port == 1
    assert read([], environment).port_was_asked_for


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, own: bool) -> None:
    assert is_loopback(host) is own


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.org", ""])
def test_beyond_loopback_there_must_be_a_token(host: str) -> None:
    with pytest.raises(SettingsError, match="needs a token"):
        read(["--host", host], {})
    assert read(["--host", host, "--token", TOKEN], {}).token == TOKEN
    assert read(["--host", host], {"LIVEGRAD_TOKEN": TOKEN}).token == TOKEN


@pytest.mark.parametrize("token", ["short", "x" * 15, "with a\nnewline in it", "ünïcödé-is-no-token"])
def test_a_poor_token_is_refused_without_being_repeated(token: str) -> None:
    with pytest.raises(SettingsError, match="at least 16") as refused:
        read(["--token", token], {})
    assert token not in str(refused.value)


@pytest.mark.parametrize("value", ["1", "true", "yes", "on"])
def test_a_variable_may_keep_the_browser_shut(value: str) -> None:
    assert not read([], {"LIVEGRAD_NO_BROWSER": value}).opens_browser


@pytest.mark.parametrize("value", ["", "0", "false", "No"])
def test_a_variable_that_says_no_does_not(value: str) -> None:
    assert read([], {"LIVEGRAD_NO_BROWSER": value}).opens_browser


@pytest.mark.parametrize("port", ["-1", "65536", "http", "", "80.5"])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(SettingsError, match="whole number from 0 to 65535"):
        read(["--port", port], {})
