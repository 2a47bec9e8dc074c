"""The Chromium that tests and benchmarks drive, with nothing of its own to do.

Knows nothing of what it opens.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, sync_playwright

# Its errands are switched off: what is asked for, and what loads the machine, is the page's.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it headless: LIVEGRAD_CHROMIUM, the one on the path, or Playwright's own."""
    executable = os.environ.get("LIVEGRAD_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        except Error as error:
            raise RuntimeError(
                f"a Chromium is needed, and LIVEGRAD_CHROMIUM names one: {error}"
            ) from error
        try:
            yield browser
        finally:
            browser.close()
