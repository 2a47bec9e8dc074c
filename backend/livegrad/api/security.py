"""Who may call: Host and Origin checked exactly, the token beyond loopback, headers on every answer.

One ASGI layer around everything, both websockets too (Starlette's CORS middleware does not look at those). Knows
nothing of runs.
"""

import hmac
import json
import secrets
from collections.abc import Iterable
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 64 * 1024
COOKIE = "livegrad_session"
LINK_PATH = "/enter"
OPEN_PATHS = frozenset({"/enter", "/api/health", "/api/session", "/signin.html", "/signin.js", "/signin.css"})
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class Doorkeeper:
    """Knows the names by which this server may be called, and who has shown the token.

    A one-time link carries a code, never the token; whoever opens it first gets the session cookie.
    """

    def __init__(self, token: str | None, allowed_hosts: Iterable[str], port: int) -> None:
        self.token = token
        self._port = port
        self._hosts = {f"{name}:{port}" for name in LOOPBACK_NAMES}
        self._hosts |= {self._with_port(name) for name in allowed_hosts}
        if port == 80:
            self._hosts |= set(LOOPBACK_NAMES)
        self._codes: set[str] = set()  # one-time links not yet opened

    def _with_port(self, name: str) -> str:
        has_port = name.rpartition(":")[2].isdigit() and not name.endswith("]")
        return name if has_port else f"{name}:{self._port}"

    def one_time_path(self) -> str:
        """Return the path and query of a new one-time link; nothing without a token."""
        if self.token is None:
            return ""
        code = secrets.token_urlsafe(24)
        self._codes.add(code)
        return f"{LINK_PATH[1:]}?code={code}"

    def redeem(self, code: str) -> bool:
        """Use a one-time code up; return whether it was good."""
        found = next(
            (known for known in self._codes if secrets.compare_digest(known.encode(), code.encode())), None
        )
        self._codes.discard(found or "")
        return found is not None

    @property
    def session(self) -> str:
        """Return the session cookie's value: proof of the token that does not tell it."""
        return hmac.new((self.token or "").encode(), b"livegrad session 1", sha256).hexdigest()

    def cookie(self) -> str:
        """Return the Set-Cookie header's value."""
        return f"{COOKIE}={self.session}; HttpOnly; SameSite=Strict; Path=/"

    def is_token(self, text: str) -> bool:
        """Return whether `text` is the token."""
        return self.token is not None and hmac.compare_digest(text.encode(), self.token.encode())

    def is_own_host(self, host: str | None, scope: Scope) -> bool:
        """Return whether `host`, a Host header, names this server exactly."""
        if host is None:
            return False
        host = host.lower()
        return host in self._hosts or host == self._listening_at(scope)

    def _listening_at(self, scope: Scope) -> str | None:
        # Beyond loopback: the very address at which this connection came in. Asked for only with a token, so that a
        # name that somebody else points here is of no use to them.
        server = scope.get("server")
        if self.token is None or not server or server[1] is None:
            return None
        try:
            address = ip_address(server[0].partition("%")[0])
        except ValueError:
            return None
        return f"[{address}]:{server[1]}" if address.version == 6 else f"{address}:{server[1]}"

    def is_own_origin(self, origin: str | None, host: str) -> bool:
        """Return whether `origin`, an Origin header, is this server's own page, as called by `host`."""
        return origin is None or origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")

    def knows(self, headers: Headers) -> bool:
        """Return whether the request shows the token, as a bearer or by the session cookie."""
        if self.token is None:
            return True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(bearer.strip()):
            return True
        return hmac.compare_digest(_session_of(headers).encode(), self.session.encode())


def _session_of(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.coded_value if morsel else ""


class Guard:
    """The ASGI layer that asks the doorkeeper, limits bodies, and puts the headers on."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper) -> None:
        self._app = app
        self._doorkeeper = doorkeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await _refuse_websocket(refusal, scope, receive, send)
            return
        sending = _with_headers(send)
        if refusal is None:
            refusal = await self._body_refusal(scope)
        if refusal is None:
            await self._app(scope, _limited(receive), sending)
        else:
            await _refuse(refusal, scope, sending)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        host = hosts[0] if len(hosts) == 1 else None
        if host is None or not self._doorkeeper.is_own_host(host, scope):
            return (
                421,
                "Wrong host",
                f"expected this server's own name and port in Host, received {host!r:.200}",
            )
        origin = origins[0] if origins else None
        if len(origins) > 1 or not self._doorkeeper.is_own_origin(origin, host):
            return 403, "Wrong origin", f"expected no Origin or http://{host}, received {origin!r:.200}"
        is_trainers = scope["type"] == "websocket" and scope["path"].endswith(
            "/trainer"
        )  # has a secret of its own
        if is_trainers or scope["path"] in OPEN_PATHS or self._doorkeeper.knows(headers):
            return None
        return (
            401,
            "Token needed",
            "expected 'Authorization: Bearer TOKEN', or a browser that opened the one-time link",
        )

    async def _body_refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            return 413, "Body too large", f"expected at most {MAX_BODY_BYTES} bytes, received {length:.20}"
        has_body = int(length) > 0 or "transfer-encoding" in headers
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and has_body and kind != "application/json":
            return 415, "JSON only", f"expected Content-Type application/json, received {kind!r:.100}"
        return None


class BodyTooLarge(Exception):
    """A body without a Content-Length grew beyond the limit."""


def _limited(receive: Receive) -> Receive:
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY_BYTES:
            raise BodyTooLarge(f"expected at most {MAX_BODY_BYTES} bytes of body")
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


async def _refuse(refusal: tuple[int, str, str], scope: Scope, send: Send) -> None:
    status, title, detail = refusal
    headers = [(b"content-type", b"application/problem+json")]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
        if scope["path"] == "/":
            status, headers = 303, [(b"location", b"/signin.html")]
    if status == 413:
        headers.append((b"connection", b"close"))
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse_websocket(
    refusal: tuple[int, str, str], scope: Scope, receive: Receive, send: Send
) -> None:
    await receive()  # websocket.connect
    status, title, detail = refusal
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 4403, "reason": title})
        return
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
    headers = [(b"content-type", b"application/problem+json")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def code_of(scope: Scope) -> str:
    """Return the one-time code in the request's query."""
    return parse_qs(scope["query_string"].decode("latin-1")).get("code", [""])[0]
