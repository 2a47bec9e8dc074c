"""What no page may do: log an error, throw, break its own policy, ask another host.

Knows nothing of livegrad.
"""

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, WebError, WebSocket

LOUD = ("error", "warning", "assert")
LOCAL = ("data", "blob", "about")


class Complaints:
    """Heard of every page of the contexts that it listens to."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._forgiven: list[re.Pattern[str]] = []
        self._origins: set[str] = set()

    def listen(self, context: BrowserContext, url: str) -> None:
        self._origins.add(urlsplit(url).netloc)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("request", self._on_request)
        context.on("page", self._on_page)

    def forgive(self, pattern: str) -> None:
        """The test is about something that makes the browser say this."""
        self._forgiven.append(re.compile(pattern))

    def unforgiven(self) -> list[str]:
        return [
            text for text in self.heard if not any(known.search(text) for known in self._forgiven)
        ]

    def _on_console(self, message: ConsoleMessage) -> None:
        # A broken Content-Security-Policy is among the errors.
        if message.type in LOUD:
            self.heard.append(
                f"console {message.type}: {message.text} ({message.location.get('url')})"
            )

    def _on_error(self, error: WebError) -> None:
        self.heard.append(f"thrown: {error.error}")

    def _on_request(self, request: Request) -> None:
        self._ask(request.url)

    def _on_page(self, page: Page) -> None:
        page.on("websocket", self._on_websocket)

    def _on_websocket(self, socket: WebSocket) -> None:
        self._ask(socket.url)

    def _ask(self, url: str) -> None:
        address = urlsplit(url)
        if address.scheme not in LOCAL and address.netloc not in self._origins:
            self.heard.append(f"asked another host: {url}")
