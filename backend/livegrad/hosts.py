"""The server's own names: the allowed Host headers, and the origin of each. PURE.

A Host that is not in the table is a foreign name that points here (DNS rebinding). An Origin that
does not match its Host belongs to another site's page. Knows nothing of requests.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from livegrad.errors import SettingsError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
DEFAULT_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(
    r"(?:(?P<scheme>https?)://)?"
    r"(?P<host>[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """One address of this server as browsers see it; behind a proxy it is the proxy's."""

    host: str
    port: int
    scheme: str = "http"

    @property
    def origin(self) -> str:
        """Return the Origin header of its pages; browsers leave out the scheme's default port."""
        return f"{self.scheme}://{self.host}{self._port()}"

    @property
    def hosts(self) -> set[str]:
        """Return the Host headers for this address."""
        return {f"{self.host}:{self.port}", f"{self.host}{self._port()}"}

    def _port(self) -> str:
        return "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"


def name(text: str, port: int, source: str = "--allow-host") -> Address:
    """Parse NAME, NAME:PORT, or https://NAME[:PORT] for a proxy in front; NAME alone is at `port`.

    Raises SettingsError, which names the flag or variable that the text came from: `source`.
    """
    match = _NAME.fullmatch(text.lower())
    if match is None:
        raise SettingsError(
            f"{source}: expected NAME, NAME:PORT or https://NAME[:PORT], received {text!r:.200}"
        )
    scheme = match["scheme"]
    own = DEFAULT_PORTS[scheme] if scheme else port
    return Address(match["host"], int(match["port"] or own), scheme or "http")


def is_name(text: str) -> bool:
    """Return whether `text` is a valid value of --allow-host."""
    return _NAME.fullmatch(text.lower()) is not None


class AllowedHosts:
    """The table of the server's own names. `listening` is the address or name given as --host."""

    def __init__(self, listening: str, allowed: Iterable[str], port: int) -> None:
        names = [Address(host, port) for host in LOOPBACK]
        if not _is_address(listening):
            names.append(name(listening, port))
        names += [name(text, port) for text in allowed]
        self._origins: dict[str, set[str]] = {}
        for known in names:
            for host in known.hosts:
                self._origins.setdefault(host, set()).add(known.origin)

    def origins(self, host: str, reached_at: tuple[str, int | None] | None) -> set[str]:
        """Return the origins of pages that came from `host`, a Host header; none if it is not ours.

        `reached_at` is the address at which the connection arrived. It is allowed as a Host too,
        because an address, unlike a name, cannot be pointed at another machine.
        """
        host = host.lower()
        found = self._origins.get(host)
        if found is None and reached_at is not None and reached_at[1] is not None:
            here = _at_address(*reached_at)
            found = {here.origin} if here is not None and host in here.hosts else None
        return found or set()


def _at_address(address: str, port: int | None) -> Address | None:
    if port is None or not _is_address(address):
        return None
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped  # an IPv4 client of a socket that listens on ::
        return Address(str(mapped) if mapped else f"[{parsed}]", port)
    return Address(str(parsed), port)


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True
