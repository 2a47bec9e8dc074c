"""Authenticates clients by the token, by one-time links, and by the session cookie.

A one-time link carries a code and never the token. The first request that opens the link gets the
cookie.
"""

import hmac
import math
import secrets
from hashlib import sha256
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from livegrad.api.rate_limit import RateLimit
from livegrad.api.refusals import Refusal
from livegrad.hosts import AllowedHosts

LINK_PATH = "/enter"


class Authenticator:
    """Knows the server's names and its token. Without a token, every client is authenticated."""

    def __init__(self, token: str | None, names: AllowedHosts, port: int) -> None:
        self.names = names
        self.has_token = token is not None
        self._token = (token or "").encode()
        # browsers share one cookie jar among all ports of a machine
        self._cookie = f"livegrad_session_{port}"
        self._codes: set[str] = set()  # one-time links that were not opened yet
        self._rate_limit = RateLimit()

    # -- one-time links

    def one_time_path(self) -> str:
        """Return the path and query of a new one-time link, to follow "/".

        Without a token, return an empty text.
        """
        if not self.has_token:
            return ""
        code = secrets.token_urlsafe(24)
        self._codes.add(code)
        return f"{LINK_PATH[1:]}?code={code}"

    def redeem(self, scope: Scope) -> bool:
        """Use up the one-time code of a request; return whether it was valid."""
        code = parse_qs(scope["query_string"].decode("latin-1")).get("code", [""])[0].encode()
        good = [known for known in self._codes if secrets.compare_digest(known.encode(), code)]
        self._codes.difference_update(good)
        return bool(good)

    # -- the cookie

    @property
    def _session(self) -> str:
        # The value proves knowledge of the token without revealing it; a new token makes it
        # invalid.
        return hmac.new(self._token, b"livegrad session 1", sha256).hexdigest()

    def cookie(self, scope: Scope) -> str:
        """Return the Set-Cookie header's value for the answer to an authenticated request."""
        host = Headers(scope=scope).get("host", "")
        origins = self.names.origins(host, scope.get("server"))
        secure = "; Secure" if all(origin.startswith("https:") for origin in origins) else ""
        return f"{self._cookie}={self._session}; HttpOnly; SameSite=Strict; Path=/{secure}"

    def _shows_cookie(self, headers: Headers) -> bool:
        session = self._session.encode()
        shown = [
            value for header in headers.getlist("cookie") for value in values(header, self._cookie)
        ]
        return any(hmac.compare_digest(value.encode(), session) for value in shown)

    # -- the token

    def check(self, scope: Scope) -> None:
        """Raise Refusal unless the request carries the token as a bearer, or the session cookie."""
        headers = Headers(scope=scope)
        if not self.has_token or self._shows_cookie(headers):
            return
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.is_token(bearer.strip(), scope):
            raise Refusal(
                401,
                "Token needed",
                "expected 'Authorization: Bearer TOKEN', or a browser that opened the "
                "one-time link",
                {"www-authenticate": "Bearer"},
            )

    def is_token(self, text: str, scope: Scope) -> bool:
        """Return whether `text` is the token.

        Raises Refusal after too many wrong tokens from one address.
        """
        address = (scope.get("client") or ("unknown", 0))[0]
        if seconds := math.ceil(self._rate_limit.wait_secs(address)):
            raise Refusal(
                429,
                "Too many wrong tokens",
                f"too many wrong tokens came from your address: try again in {seconds} s",
                {"retry-after": str(seconds)},
            )
        if self.has_token and hmac.compare_digest(text.encode(errors="replace"), self._token):
            return True
        self._rate_limit.note_wrong(address)
        return False


def values(header: str, name: str) -> list[str]:
    """Return every value of the cookie `name` in a Cookie header.

    The other cookies may have any form: a browser also sends those that other programs on this
    host, at any port, have set.
    """
    pairs = (pair.partition("=") for pair in header.split(";"))
    return [value.strip(" \t") for found, _, value in pairs if found.strip(" \t") == name]
