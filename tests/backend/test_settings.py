"""Flags and environment become settings, checked once."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from pydantic import SecretStr

from livegrad import settings as settings_module
from livegrad.errors import SettingsError
from livegrad.settings import Settings, is_loopback, notices

TOKEN = "a-token-that-is-long-enough"


def read(arguments: list[str], variables: dict[str, str]) -> Settings:
    """Read the settings with `variables` as the environment's LIVEGRAD_… variables."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LIVEGRAD_")}
    with patch.dict(os.environ, kept | variables, clear=True):
        return settings_module.read(arguments)


def test_the_defaults_are_loopback_port_8000_and_a_folder_of_the_user() -> None:
    settings = read([], {})
    assert (settings.host, settings.port, settings.port_was_asked_for) == ("127.0.0.1", 8000, False)
    assert not settings.no_browser
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
    assert read(["--host", host, "--token", TOKEN], {}).token == SecretStr(TOKEN)
    assert read(["--host", host], {"LIVEGRAD_TOKEN": TOKEN}).token == SecretStr(TOKEN)


@pytest.mark.parametrize(
    "token", ["short", "x" * 15, "with a\nnewline in it", "ünïcödé-is-no-token"]
)
def test_a_poor_token_is_refused_without_being_repeated(token: str) -> None:
    with pytest.raises(SettingsError, match="at least 16") as refused:
        read(["--token", token], {})
    assert token not in str(refused.value)


@pytest.mark.parametrize("value", ["1", "true", "yes", "on", " ON ", "y"])
def test_a_variable_may_keep_the_browser_shut(value: str) -> None:
    assert read([], {"LIVEGRAD_NO_BROWSER": value}).no_browser


@pytest.mark.parametrize("value", ["", "0", "false", "No", "off", " 0 ", "  "])
def test_a_variable_that_says_no_lets_the_browser_open(value: str) -> None:
    assert not read([], {"LIVEGRAD_NO_BROWSER": value}).no_browser


@pytest.mark.parametrize("port", ["-1", "65536", "http", "", "80.5", "8_0", "٨٠", "0x50"])
def test_an_invalid_port_is_refused(port: str) -> None:
    with pytest.raises(SettingsError, match="whole number from 0 to 65535"):
        read(["--port", port], {})


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.1:8000", "udp://10.96.0.1:53", " tcp://[fd00::1]:80 "]
)
def test_what_kubernetes_sets_for_a_service_is_ignored_and_said(address: str) -> None:
    settings = read([], {"LIVEGRAD_PORT": address})
    assert (settings.port, settings.port_was_asked_for) == (8000, False)
    with patch.dict(os.environ, {"LIVEGRAD_PORT": address}):
        [notice] = notices()
    assert address.strip() in notice
    assert "LIVEGRAD_PORT" in notice
    assert read(["--port", "9000"], {"LIVEGRAD_PORT": address}).port == 9000


FLAGS = ("HOST", "PORT", "DATA", "TOKEN", "ALLOW_HOST", "MAX_RUNS", "KEEP", "NO_BROWSER")


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
@pytest.mark.parametrize("name", FLAGS)
def test_an_empty_variable_counts_as_unset(name: str, blank: str) -> None:
    assert read([], {f"LIVEGRAD_{name}": blank}) == read([], {})


@pytest.mark.parametrize(
    "text", ["a.example,b.example", " a.example , B.example ,", ",a.example,,b.example"]
)
def test_a_list_of_names_may_have_blanks_and_commas_to_spare(text: str) -> None:
    assert read([], {"LIVEGRAD_ALLOW_HOST": text}).allow_host == ("a.example", "b.example")
    assert read(["--allow-host", text], {}).allow_host == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("TOKEN", "short"),
        ("ALLOW_HOST", "a b"),
        ("MAX_RUNS", "many"),
        ("KEEP", "4"),
        ("KEEP", "1kB"),
        ("KEEP", "2GB!"),
        ("NO_BROWSER", "perhaps"),
        ("HOST", "0.0.0.0"),
        ("DATA", "~nobody-of-that-name/x"),
    ],
)
def test_a_bad_value_is_laid_to_the_variable_that_it_came_from(name: str, value: str) -> None:
    variable = f"LIVEGRAD_{name}"
    with pytest.raises(SettingsError) as refused:
        read([], {variable: value})
    assert str(refused.value).startswith(variable)
    if name != "NO_BROWSER":
        flag = f"--{name.lower().replace('_', '-')}"
        with pytest.raises(SettingsError) as refused:
            read([flag, value], {variable: value})
        assert str(refused.value).startswith(flag)


def test_a_blank_around_a_value_is_not_part_of_it() -> None:
    variables = {
        "LIVEGRAD_PORT": " 81\n",
        "LIVEGRAD_TOKEN": f"{TOKEN}\n",
        "LIVEGRAD_HOST": " localhost ",
    }
    settings = read([], variables)
    assert (settings.port, settings.token, settings.host) == (81, SecretStr(TOKEN), "localhost")


def test_the_data_folder_is_absolute_wherever_the_program_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(["--data", "here"], {}).data == tmp_path / "here"


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ("2", "a number and a unit"),
        ("GB", "a number and a unit"),
        ("-1GB", "unit"),
        ("10KB", "at least 1MB"),
    ],
)
def test_an_invalid_budget_is_refused_with_a_reason(size: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read([f"--keep={size}"], {})
    with pytest.raises(SettingsError, match=words):
        read([], {"LIVEGRAD_KEEP": size})


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("1.5 MiB", 3 * 2**19), ("500mb", 5 * 10**8), ("1TiB", 2**40)],
)
def test_a_budget_has_any_usual_unit(text: str, size: int) -> None:
    assert read(["--keep", text], {}).keep == size
    assert read([], {}).keep == 4 * 10**9


# Runs in a process of its own, as a user without an entry: what is read there is the real thing.
HOMELESS = """
import os, pwd, sys
from livegrad.errors import SettingsError
from livegrad.settings import read

def missing(key):
    raise KeyError(key)

pwd.getpwuid = pwd.getpwnam = missing
try:
    print(read(sys.argv[1:]).data)
except SettingsError as error:
    print("refused:", error)
"""


def homeless(*arguments: str, **variables: str) -> str:
    kept = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_DATA_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", HOMELESS, *arguments],
        env=kept | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("variables", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_the_operator_is_told_to_name_a_folder(
    variables: dict[str, str], tmp_path: Path
) -> None:
    told = homeless(**variables)
    assert told.startswith("refused:")
    assert "--data" in told
    assert homeless("--data", str(tmp_path), **variables).strip() == str(tmp_path)
    assert homeless(XDG_DATA_HOME=str(tmp_path), **variables).strip() == str(tmp_path / "livegrad")
