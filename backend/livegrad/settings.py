"""The settings of the server: flags first, then LIVEGRAD_… variables, then defaults.

They are read and checked once, when the program starts, and passed to whatever needs them.
"""

import argparse
import os
import re
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ByteSize, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from livegrad import __version__
from livegrad.errors import SettingsError
from livegrad.hosts import name
from livegrad.sizes import Size

DEFAULT_PORT = 8000
MIN_KEEP_BYTES = 1_000_000
MAX_RUNS = 8
MIN_TOKEN_LENGTH = 16
TOKEN_ADVICE = (
    'make one with: python3 -c "import secrets; print(secrets.token_urlsafe())" '
    "and pass it as --token or LIVEGRAD_TOKEN"
)
# Kubernetes sets LIVEGRAD_PORT to such an address when a service is called livegrad.
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S*")


def _digits(text: Any) -> Any:
    # int() also takes 1_0 and the digits of other scripts.
    if isinstance(text, str) and not re.fullmatch(r"[0-9]{1,9}", text.strip()):
        raise ValueError("not a whole number")
    return text


def _folder(text: Any) -> Any:
    # The program may change its working folder later.
    if not isinstance(text, str):
        return text
    try:
        return Path(text).expanduser().absolute() if text else _default_folder()
    except (OSError, RuntimeError) as error:  # no such home, no working folder
        raise ValueError(str(error)) from error


def _none_if_empty(text: Any) -> Any:
    return text or None


def _names(text: Any) -> Any:
    parts = [text] if isinstance(text, str) else list(text)
    split = [part.strip().lower() for each in parts for part in each.split(",")]
    return tuple(part for part in split if part)


WholeNumber = Annotated[int, BeforeValidator(_digits)]


class Settings(BaseSettings):
    """How this server runs. A variable is LIVEGRAD_ and the name of the field in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="LIVEGRAD_",
        env_ignore_empty=True,
        str_strip_whitespace=True,
        frozen=True,
        extra="forbid",
    )

    host: str = "127.0.0.1"
    port: WholeNumber = Field(DEFAULT_PORT, ge=0, le=65535)
    data: Annotated[Path, BeforeValidator(_folder)] = Field(
        default_factory=lambda: _default_folder()
    )
    no_browser: bool = False
    token: Annotated[SecretStr | None, BeforeValidator(_none_if_empty)] = None
    allow_host: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = ()
    max_runs: WholeNumber = Field(MAX_RUNS, ge=1, le=1000)
    keep: Size = Field(ByteSize(4 * 10**9), ge=MIN_KEEP_BYTES)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read flags and variables only. Blank variables and service addresses count as unset."""
        given = {
            field: text.strip()
            for field, text in env_settings().items()
            if text.strip() and not _SERVICE_ADDRESS.fullmatch(text.strip())
        }
        return init_settings, InitSettingsSource(settings_cls, given)

    @property
    def is_loopback(self) -> bool:
        """Return whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def port_was_asked_for(self) -> bool:
        """Return whether the port was given explicitly; then no free one replaces it."""
        return "port" in self.model_fields_set


EXPECTED = {
    "host": "an address or a name",
    "port": "a whole number from 0 to 65535",
    "data": "a folder",
    "no_browser": "1, true, yes or on, or else 0, false, no or off",
    "allow_host": "NAME, NAME:PORT or https://NAME[:PORT]",
    "max_runs": "a whole number from 1 to 1000",
    "keep": (
        f"a number and a unit, KB, MB, GB, TB or KiB, MiB, GiB, TiB, such as 2GB, "
        f"at least {MIN_KEEP_BYTES // 10**6}MB"
    ),
}


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine's own address and nobody else's."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser. Flags that are not given are None."""
    root = argparse.ArgumentParser(
        prog="livegrad",
        description="Watch a real PyTorch training loop from the inside, live.",
        epilog=(
            "Every flag has an environment variable: --port is LIVEGRAD_PORT, --no-browser "
            "LIVEGRAD_NO_BROWSER. LIVEGRAD_START_METHOD=spawn starts training processes as new "
            "interpreters instead of forking them."
        ),
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
    root.add_argument(
        "--no-browser", action="store_true", default=None, help="do not open the browser"
    )
    root.add_argument(
        "--token",
        metavar="TEXT",
        help=("token that every client must send; required beyond loopback"),
    )
    root.add_argument(
        "--allow-host",
        action="append",
        metavar="NAME",
        help=(
            "a further name by which clients may call this server: NAME (at its port), NAME:PORT, "
            "or https://NAME of a proxy in front of it"
        ),
    )
    root.add_argument("--max-runs", help=f"how many runs may train at once ({MAX_RUNS})")
    root.add_argument(
        "--keep",
        metavar="SIZE",
        help=(
            "size limit of the run log, such as 500MB or 2GiB; beyond it the oldest steps are "
            "thinned out (4GB)"
        ),
    )
    root.add_argument("--version", action="version", version=f"livegrad {__version__}")
    return root


def read(arguments: Sequence[str]) -> Settings:
    """Return the settings from the command line and the environment.

    Raises:
        SettingsError: a value is invalid. The text names its flag or variable.
    """
    given = vars(parser().parse_args(arguments))
    flags = {flag: given[flag] for flag in Settings.model_fields if given[flag] is not None}
    try:
        settings = Settings(**flags)
    except ValidationError as error:
        raise _refusal(error, flags) from None
    _check_token(settings, flags)
    for text in settings.allow_host:
        name(text, settings.port, _source("allow_host", flags))
    return settings


def notices() -> list[str]:
    """Return messages for the operator about variables that are ignored."""
    return [
        f"{variable}={text.strip()} is ignored: it is what Kubernetes sets for a service"
        for variable in (f"LIVEGRAD_{field.upper()}" for field in Settings.model_fields)
        if _SERVICE_ADDRESS.fullmatch((text := os.environ.get(variable, "")).strip())
    ]


def _refusal(error: ValidationError, flags: dict[str, Any]) -> SettingsError:
    first = error.errors(include_url=False)[0]
    field = str(first["loc"][0])
    return SettingsError(
        f"{_source(field, flags)}: expected {EXPECTED[field]}, received {first['input']!r:.100}"
    )


def _source(field: str, flags: dict[str, Any]) -> str:
    return f"--{field.replace('_', '-')}" if field in flags else f"LIVEGRAD_{field.upper()}"


def _check_token(settings: Settings, flags: dict[str, Any]) -> None:
    if settings.token is None:
        if not settings.is_loopback:
            raise SettingsError(
                f"{_source('host', flags)} {settings.host} can be reached from other machines: "
                f"it needs a token; {TOKEN_ADVICE}"
            )
        return
    text = settings.token.get_secret_value()
    if len(text) < MIN_TOKEN_LENGTH or not text.isascii() or not text.isprintable():
        raise SettingsError(
            f"{_source('token', flags)}: expected at least {MIN_TOKEN_LENGTH} printable ASCII "
            f"characters, received {len(text)}; {TOKEN_ADVICE}"
        )


def _default_folder() -> Path:
    import platformdirs  # imported here, so that it is not loaded when --data is given

    # Without a home, the folder would be named "~" in the working folder, or be at the root.
    try:
        folder = Path(platformdirs.user_data_dir("livegrad", appauthor=False))
    except (OSError, RuntimeError, KeyError):
        folder = Path()
    has_place = bool(os.environ.get("XDG_DATA_HOME")) or os.environ.get("HOME") != ""
    if not folder.is_absolute() or not has_place:
        raise SettingsError(
            "you have no home folder (HOME is not set), so there is no place for the run log: "
            "name one with --data"
        )
    return folder
