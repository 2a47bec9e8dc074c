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


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """Return the command line's parser; every flag's default may stand in a LIVEGRAD_… variable."""

    def default(name: str, otherwise: str | None = None) -> str | None:
        return environment.get(f"LIVEGRAD_{name}", otherwise)

    root = argparse.ArgumentParser(
        prog="livegrad",
        description="Watch a real PyTorch training loop from the inside, live.",
        epilog="Every flag has an environment variable: --port is LIVEGRAD_PORT, --no-browser LIVEGRAD_NO_BROWSER.",
    )
    root.add_argument(
        "command", nargs="?", choices=["serve"], default="serve", help="start the dashboard (default)"
    )
    root.add_argument("--host", default=default("HOST", "127.0.0.1"), help="address to listen on (127.0.0.1)")
    root.add_argument("--port", default=default("PORT"), help=f"port; 0 picks a free one ({DEFAULT_PORT})")
    root.add_argument("--data", default=default("DATA"), metavar="DIR", help="folder that holds the run log")
    root.add_argument("--no-browser", action="store_true", help="do not open the browser")
    root.add_argument(
        "--token",
        default=default("TOKEN"),
        metavar="TEXT",
        help="ask every client for it; needed beyond loopback",
    )
    root.add_argument(
        "--allow-host",
        action="append",
        default=None,
        metavar="NAME",
        help="a further name by which clients may call this server: NAME (at its port), NAME:PORT, or "
        "https://NAME of a proxy in front of it",
    )
    root.add_argument(
        "--max-runs", default=default("MAX_RUNS", str(MAX_RUNS)), help=f"runs at once ({MAX_RUNS})"
    )
    root.add_argument(
        "--keep",
        default=default("KEEP", KEEP),
        metavar="SIZE",
        help=f"room for the run log, as 500MB or 2GiB; beyond it the oldest steps are thinned out ({KEEP})",
    )
    root.add_argument("--version", action="version", version=f"livegrad {__version__}")
    return root


def read(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings that the command line and the environment ask for. Raises SettingsError."""
    environment = os.environ if environment is None else environment
    flags = parser(environment).parse_args(arguments)
    port = DEFAULT_PORT if flags.port is None else _number(flags.port, "--port", 0, 65535)
    hosts = flags.allow_host or [h for h in environment.get("LIVEGRAD_ALLOW_HOST", "").split(",") if h]
    settings = Settings(
        host=flags.host,
        port=port,
        data=Path(flags.data).expanduser() if flags.data else _default_data(),
        opens_browser=not (flags.no_browser or _is_true(environment.get("LIVEGRAD_NO_BROWSER", ""))),
        token=flags.token or None,
        allowed_hosts=tuple(host.lower() for host in hosts),
        max_runs=_number(flags.max_runs, "--max-runs", 1, 1000),
        port_was_asked_for=flags.port is not None,
        keep=_size(flags.keep, "--keep"),
    )
    _check_token(settings)
    _check_names(settings)
    return settings


def _check_token(settings: Settings) -> None:
    advice = (
        'make one with: python3 -c "import secrets; print(secrets.token_urlsafe())" '
        "and pass it as --token or LIVEGRAD_TOKEN"
    )
    if settings.token is None:
        if not settings.is_loopback:
            raise SettingsError(
                f"--host {settings.host} can be reached from other machines: it needs a token; {advice}"
            )
        return
    if (
        len(settings.token) < MIN_TOKEN_LENGTH
        or not settings.token.isascii()
        or not settings.token.isprintable()
    ):
        raise SettingsError(
            f"--token: expected at least {MIN_TOKEN_LENGTH} printable ASCII characters, "
            f"received {len(settings.token)}; {advice}"
        )


def _check_names(settings: Settings) -> None:
    for text in settings.allowed_hosts:
        name(text, settings.port)


def _number(text: str, flag: str, low: int, high: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise SettingsError(f"{flag}: expected a whole number from {low} to {high}, received {text!r}")
    return value


def _size(text: str, flag: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match["unit"].lower()) if match else None
    if match is None or unit is None:
        raise SettingsError(
            f"{flag}: expected a number and a unit, KB, MB, GB, TB or KiB, MiB, GiB, TiB, such as 2GB, "
            f"received {text!r:.100}"
        )
    size = int(float(match["number"]) * unit)
    if size < MIN_KEEP_BYTES:
        raise SettingsError(f"{flag}: expected at least {MIN_KEEP_BYTES // 10**6}MB, received {text!r:.100}")
    return size


def _is_true(text: str) -> bool:
    return text.strip().lower() not in ("", "0", "false", "no")


def _default_data() -> Path:
    import platformdirs  # here, so that --data costs nothing for it

    return Path(platformdirs.user_data_dir("livegrad", appauthor=False))
