"""Opens the dashboard in the user's browser if it has windows. Never blocks and never fails.

A browser in the terminal would occupy it and, if there is a token, use up the one-time link.
"""

import contextlib
import os
import sys
import threading
import webbrowser
from collections.abc import Mapping
from pathlib import PurePath

_CONSOLE = frozenset(
    {"www-browser", "links", "links2", "elinks", "lynx", "w3m", "browsh", "netrik", "retawq"}
)


def open_page(link: str) -> None:
    """Open `link` in a graphical browser, from a separate thread; do nothing if there is none."""
    threading.Thread(target=_open, args=(link,), daemon=True, name="browser").start()


def _open(link: str) -> None:
    if not has_screen(os.environ, sys.platform):
        return
    with contextlib.suppress(Exception):  # whatever goes wrong, the link is in the terminal
        browser = webbrowser.get()
        if is_graphical(browser):
            browser.open(link)


def has_screen(environment: Mapping[str, str], platform: str) -> bool:
    """Return whether the person who started the program sees windows of this machine."""
    if platform == "win32":
        return True
    if platform == "darwin":
        return not environment.get("SSH_CONNECTION")
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def is_graphical(browser: webbrowser.BaseBrowser) -> bool:
    """Return whether `browser` opens a window instead of taking the terminal."""
    # GenericBrowser waits for its program to end, as terminal browsers do; its subclass does not.
    name = PurePath(str(getattr(browser, "name", "") or "")).name.lower()
    return type(browser) is not webbrowser.GenericBrowser and name not in _CONSOLE
