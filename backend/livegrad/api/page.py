"""Serves the page: every file of the frontend folder. Answers 404 or 405 for all other paths."""

from collections.abc import Sequence
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from livegrad.api.auth import LINK_PATH
from livegrad.api.refusals import Refusal

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
OWN_METHODS = ("GET", "HEAD")


class Page(StaticFiles):
    """The files in `folder`.

    `routes` are the routes before it, which tell the methods of a path.
    """

    def __init__(self, folder: Path, routes: Sequence[BaseRoute]) -> None:
        super().__init__(directory=folder, html=True)
        self._routes = tuple(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a file, or with the problem why there is none."""
        if scope["type"] == "websocket":
            refusal = Refusal(404, "Not found", f"there is no websocket at {scope['path']!r:.200}")
            await refusal.answer(scope, receive, send)
            return
        if allowed := self._methods(scope):
            raise HTTPException(405, headers={"Allow": ", ".join(allowed)})
        if scope["path"].startswith("/api/"):
            raise HTTPException(404)
        if scope["method"] not in OWN_METHODS:
            raise HTTPException(405, headers={"Allow": ", ".join(OWN_METHODS)})
        if "\0" in scope["path"]:
            raise HTTPException(404)
        await super().__call__(scope, receive, send)

    def _methods(self, scope: Scope) -> list[str]:
        def is_taken(method: str) -> bool:
            asked = {**scope, "method": method}
            return any(route.matches(asked)[0] is Match.FULL for route in self._routes)

        taken = {method for method in METHODS if is_taken(method)}
        if "GET" in taken and scope["path"] != LINK_PATH:
            taken.add("HEAD")
        return sorted(taken)
