"""What the operator chose, from flags and environment. Checked once; passed in, never imported."""

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from livegrad import __version__
from livegrad.errors import SettingsError
from livegrad.hosts import name

DEFAULT_PORT = 8000
KEEP = "4GB"
MIN_KEEP_BYTES = 1_000_000
_UNITS = {
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SIZE = re.compile(r"(?P<number>\d{1,15}(\.\d{1,6})?)\s*(?P<unit>[a-z]+)", re.ASCII | re.IGNORECASE)
MAX_RUNS = 8
MIN_TOKEN_LENGTH = 16
_YES = frozenset({"1", "true", "yes", "on", "y", "t"})
_NO = frozenset({"0", "false", "no", "off", "n", "f"})
# What Kubernetes sets for every service: one that is called livegrad takes our variable's name.
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S*")


@dataclass(frozen=True, slots=True)
class Settings:
    """How this server runs. `port_was_asked_for` tells a busy default port from a busy chosen one."""

    host: str
    port: int
    data: Path
    opens_browser: bool
    token: str | None = field(repr=False)
    allowed_hosts: tuple[str, ...]
    max_runs: int
    port_was_asked_for: bool
    keep: int  # bytes of the run log
    # what the operator should be told, though nothing is wrong with it
    notices: tuple[str, ...] = ()

    @property
    def is_loopback(self) -> bool:
        """Return whether only this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine's own address and nobody else's."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as text, and the flag or variable that it came from."""

    text: str
    source: str


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser; what is not given is None."""
    root = argparse.ArgumentParser(
        prog="livegrad",
        description="Watch a real PyTorch training loop from the inside, live.",
        epilog="Every flag has an environment variable: --port is LIVEGRAD_PORT, --no-browser LIVEGRAD_NO_BROWSER. "
        "LIVEGRAD_START_METHOD=spawn starts training processes anew instead of forking them.",
    )
    root.add_argument(
        "command",
        nargs="?",
        choices=["serve"],
        default="serve",
        help="start the dashboard (default)",
    )
    root.add_argument("--host", help="address to listen on (127.0.0.1)")
    root.add_argument("--port", help=f"port; 0 picks a free one ({DEFAULT_PORT})")
    root.add_argument("--data", metavar="DIR", help="folder that holds the run log")
    root.add_argument("--no-browser", action="store_true", help="do not open the browser")
    root.add_argument(
        "--token", metavar="TEXT", help="ask every client for it; needed beyond loopback"
    )
    root.add_argument(
        "--allow-host",
        action="append",
        metavar="NAME",
        help="a further name by which clients may call this server: NAME (at its port), NAME:PORT, or "
        "https://NAME of a proxy in front of it",
    )
    root.add_argument("--max-runs", help=f"runs at once ({MAX_RUNS})")
    root.add_argument(
        "--keep",
        metavar="SIZE",
        help=f"room for the run log, as 500MB or 2GiB; beyond it the oldest steps are thinned out ({KEEP})",
    )
    root.add_argument("--version", action="version", version=f"livegrad {__version__}")
    return root


def read(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings that the command line and the environment ask for. Raises SettingsError."""
    flags = parser().parse_args(arguments)
    variables = _Variables(os.environ if environment is None else environment)

    def given(flag: str) -> _Given | None:
        text: str | None = getattr(flags, flag)
        return variables.get(flag) if text is None else _Given(text, f"--{flag.replace('_', '-')}")

    port, max_runs, keep = given("port"), given("max_runs"), given("keep")
    host, token, allowed = given("host"), given("token"), _hosts(flags.allow_host, variables)
    settings = Settings(
        host=host.text.strip() if host else "127.0.0.1",
        port=_number(port, 0, 65535) if port else DEFAULT_PORT,
        data=_folder(given("data")),
        opens_browser=not (flags.no_browser or _is_true(variables.get("no_browser"))),
        token=token.text or None if token else None,
        allowed_hosts=tuple(host.text.lower() for host in allowed),
        max_runs=_number(max_runs, 1, 1000) if max_runs else MAX_RUNS,
        port_was_asked_for=port is not None,
        keep=_size(keep or _Given(KEEP, "--keep")),
        notices=tuple(variables.notices),
    )
    _check_token(settings, token, host)
    for each in allowed:
        name(each.text, settings.port, each.source)
    return settings


class _Variables:
    """The LIVEGRAD_… variables. An empty one counts as unset; blanks around a value are not part of it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.notices: list[str] = []

    def get(self, flag: str) -> _Given | None:
        """Return what the variable of `flag` says, if anything."""
        variable = f"LIVEGRAD_{flag.upper()}"
        text = self._environment.get(variable, "").strip()
        if _SERVICE_ADDRESS.fullmatch(text):
            self.notices.append(
                f"{variable}={text} is ignored: it is what Kubernetes sets for a service"
            )
            return None
        return _Given(text, variable) if text else None


def _hosts(flags: Sequence[str] | None, variables: _Variables) -> list[_Given]:
    variable = variables.get("allow_host")
    given = [_Given(text, "--allow-host") for text in flags or ()] or (
        [variable] if variable else []
    )
    parts = [(part.strip(), each.source) for each in given for part in each.text.split(",")]
    return [_Given(text, source) for text, source in parts if text]


def _check_token(settings: Settings, token: _Given | None, host: _Given | None) -> None:
    advice = (
        'make one with: python3 -c "import secrets; print(secrets.token_urlsafe())" '
        "and pass it as --token or LIVEGRAD_TOKEN"
    )
    if settings.token is None or token is None:
        if not settings.is_loopback:
            where = host.source if host else "--host"
            raise SettingsError(
                f"{where} {settings.host} can be reached from other machines: it needs a token; {advice}"
            )
        return
    text = settings.token
    if len(text) < MIN_TOKEN_LENGTH or not text.isascii() or not text.isprintable():
        raise SettingsError(
            f"{token.source}: expected at least {MIN_TOKEN_LENGTH} printable ASCII characters, "
            f"received {len(text)}; {advice}"
        )


def _number(given: _Given, low: int, high: int) -> int:
    # Stricter than int(), which takes 1_0 and the digits of every script.
    text = given.text.strip()
    value = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else low - 1
    if not low <= value <= high:
        raise SettingsError(
            f"{given.source}: expected a whole number from {low} to {high}, received {given.text!r:.100}"
        )
    return value


def _size(given: _Given) -> int:
    match = _SIZE.fullmatch(given.text.strip())
    unit = _UNITS.get(match["unit"].lower()) if match else None
    if match is None or unit is None:
        raise SettingsError(
            f"{given.source}: expected a number and a unit, KB, MB, GB, TB or KiB, MiB, GiB, TiB, such as 2GB, "
            f"received {given.text!r:.100}"
        )
    size = int(float(match["number"]) * unit)
    if size < MIN_KEEP_BYTES:
        raise SettingsError(
            f"{given.source}: expected at least {MIN_KEEP_BYTES // 10**6}MB, received {given.text!r:.100}"
        )
    return size


def _is_true(given: _Given | None) -> bool:
    if given is None or given.text.lower() in _NO:
        return False
    if given.text.lower() in _YES:
        return True
    raise SettingsError(
        f"{given.source}: expected 1, true, yes or on, or else 0, false, no or off, received {given.text!r:.100}"
    )


def _folder(given: _Given | None) -> Path:
    """Return the data folder, absolute: the program may leave the folder that it was started in."""
    if given is None or not given.text:
        return _default_folder()
    try:
        return Path(given.text).expanduser().absolute()
    except (OSError, RuntimeError, ValueError) as error:  # no such home, no working folder, a NUL
        raise SettingsError(
            f"{given.source}: expected a folder, received {given.text!r:.200}: {error}"
        ) from error


def _default_folder() -> Path:
    import platformdirs  # here, so that --data costs nothing for it

    # Without a home it may be a folder that is called "~", wherever one stands, or one at the root.
    try:
        folder = Path(platformdirs.user_data_dir("livegrad", appauthor=False))
    except (OSError, RuntimeError, KeyError):
        folder = Path()
    has_place = bool(os.environ.get("XDG_DATA_HOME")) or os.environ.get("HOME") != ""
    if not folder.is_absolute() or not has_place:
        raise SettingsError(
            "you have no home folder (HOME is not set), so there is no place for the run log: name one with --data"
        )
    return folder
