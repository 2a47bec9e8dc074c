"""Every kind of route and both websockets: where a check must never be missing.

Knows nothing of what is checked.
"""

from collections.abc import Iterator

from tests.running import Server
from tests.server import raw

PATHS = (
    "/",
    "/main.js",
    "/docs",
    "/openapi.json",
    "/api/health",
    "/api/runs",
    "/api/nope",
    "/nope",
    "/enter",
)
SOCKETS = ("/api/runs/{run}/stream", "/api/runs/{run}/trainer", "/api/runs/nope/stream", "/nope")


def ask_every_route(server: Server, *headers: str) -> Iterator[raw.Answer]:
    """Ask on every kind of route, and for both websockets, with these headers alone."""
    run = server.get("/runs")[0]["id"]
    lines = [line.format(port=server.port) for line in headers]
    for path in PATHS:
        yield raw.get(server.port, path, *lines)
    yield raw.ask(server.port, raw.head("POST", "/api/runs", [*lines, "Content-Length: 0"]))
    yield raw.ask(server.port, raw.head("DELETE", f"/api/runs/{run}", lines))
    for path in SOCKETS:
        yield raw.upgrade(server.port, path.format(run=run), *lines)
