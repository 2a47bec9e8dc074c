"""The guard around all routes: checks Host, Origin, token and bodies, and adds headers.

One ASGI layer around everything, including both websockets, which Starlette's CORS middleware does
not check. Knows nothing of runs.
"""

import html

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from livegrad.api import bodies
from livegrad.api.auth import LINK_PATH, Authenticator
from livegrad.api.long_responses import HEAD_ASKED
from livegrad.api.refusals import Refusal
from livegrad.hosts import is_name

OPEN_PATHS = frozenset(
    {
        LINK_PATH,
        "/api/health",
        "/api/session",
        "/signin.html",
        "/signin.js",
        "/css/signin.css",
        "/css/style.css",
        "/icon.svg",
    }
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action "
    "'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class Guard:
    """The ASGI layer that authenticates requests, reads bodies, and adds the headers."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        sending = _with_headers(send)
        try:
            self._check_caller(scope)
            if scope["type"] == "http":
                receive = bodies.again(await bodies.read(scope, receive), receive)
                scope = _head_as_get(scope)
        except Refusal as refusal:
            await _page_for_browser(refusal, scope).answer(scope, receive, sending)
        else:
            await self._app(scope, receive, sending)

    def _check_caller(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1:
            raise Refusal(
                400, "One Host needed", f"expected one Host header, received {len(hosts)}"
            )
        own = self._authenticator.names.origins(hosts[0], scope.get("server"))
        if not own:
            raise Refusal(
                421,
                "Wrong host",
                "expected the name or address and port at which this server is, or one that "
                f"it was given with --allow-host; received {hosts[0]!r:.200}",
            )
        if len(origins) > 1 or any(origin not in own for origin in origins):
            expected = " or ".join(sorted(own))
            raise Refusal(
                403,
                "Wrong origin",
                f"expected {expected} or no Origin, received {', '.join(origins)!r:.200}",
            )
        if not (_is_trainers(scope) or scope["path"] in OPEN_PATHS):
            self._authenticator.check(scope)


class WrongHost(Refusal):
    """The answer to a browser that used an unknown host name: names the flag that allows it."""

    kind = "text/html; charset=utf-8"

    def __init__(self, refusal: Refusal, host: str) -> None:
        super().__init__(refusal.status, refusal.title, refusal.detail)
        self._host = host[:200]

    def body(self) -> bytes:
        """Return the page, with the received name as text, never as markup."""
        host = html.escape(self._host)
        flag = f"--allow-host {host if is_name(self._host) else 'NAME:PORT'}"
        return _WRONG_HOST.format(host=host, flag=flag).encode()


_WRONG_HOST = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>livegrad: unknown address</title>
<h1>livegrad does not know this address</h1>
<p>Your browser asked for <code>{host}</code>. To keep other sites from reaching your runs,
livegrad answers only at addresses that it knows.</p>
<p>If this address is yours, for example after <code>ssh -L</code> with another port, start livegrad
again with</p>
<pre>livegrad {flag}</pre>
</html>
"""


def _head_as_get(scope: Scope) -> Scope:
    # HEAD is answered like GET; uvicorn drops the body, and long answers are not made. One-time
    # links are excluded, because a HEAD must not use one up. The page's files handle HEAD
    # themselves.
    path = scope["path"]
    if scope["method"] != "HEAD" or not (path.startswith("/api/") or path == "/docs"):
        return scope
    return {**scope, "method": "GET", HEAD_ASKED: True}


def _is_trainers(scope: Scope) -> bool:
    # The trainers' websocket has its own check: the run's secret.
    return bool(scope["type"] == "websocket" and scope["path"].endswith("/trainer"))


def _page_for_browser(refusal: Refusal, scope: Scope) -> Refusal:
    # A browser that opens a page is shown the sign-in page; other clients get the problem.
    wants_page = scope["type"] == "http" and "text/html" in Headers(scope=scope).get("accept", "")
    if not wants_page or scope["path"].startswith("/api/"):
        return refusal
    if refusal.status == 421:
        return WrongHost(refusal, Headers(scope=scope).get("host", ""))
    if refusal.status != 401:
        return refusal
    # The path is relative, because behind a proxy the page may have a prefix that only the proxy
    # knows.
    up = "../" * (scope["path"].count("/") - 1)
    return Refusal(303, refusal.title, refusal.detail, {"location": f"{up}signin.html"})


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
