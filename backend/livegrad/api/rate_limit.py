"""Counts recent wrong tokens per address. Knows nothing of tokens.

Each address has its own count, so an attacker locks nobody else out.
"""

import time
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address, ip_network

from livegrad.api import limits


class RateLimit:
    """Counts wrong tokens per address.

    IPv6 addresses are counted per /64 network, which one machine may own entirely.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # by address: since when, how many; oldest first
        self._wrong: dict[str, tuple[float, int]] = {}

    def wait_secs(self, address: str) -> float:
        """Return for how many seconds no token from `address` is checked; 0 below the limit."""
        since, count = self._wrong.get(_source(address), (0.0, 0))
        return (
            max(0.0, since + limits.WRONG_TOKENS_SECS - self._clock())
            if count >= limits.WRONG_TOKENS
            else 0.0
        )

    def note_wrong(self, address: str) -> None:
        """Count a wrong token from `address`."""
        source, now = _source(address), self._clock()
        since, count = self._wrong.get(source, (now, 0))
        if now - since >= limits.WRONG_TOKENS_SECS:
            del self._wrong[source]
            since, count = now, 0
        self._wrong[source] = (since, count + 1)
        while len(self._wrong) > limits.ADDRESSES_KEPT:
            del self._wrong[next(iter(self._wrong))]


def _source(address: str) -> str:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False))
