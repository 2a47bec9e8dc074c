"""A real Chromium, pages that are watched for complaints, and runs that go when their test does."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.complaints import Complaints
from tests.browser.screen import Dashboard
from tests.chromium import chromium
from tests.running import Server

PATIENCE_MS = 30_000  # how long anything awaited may take on a busy machine

# A test may ask whether anything is left to draw: the page asks for a frame as long as there is.
COUNT_FRAMES = """
(() => {
  const request = window.requestAnimationFrame.bind(window);
  window.framesDue = 0;
  window.requestAnimationFrame = (callback) => {
    window.framesDue++;
    return request((now) => {
      window.framesDue--;
      callback(now);
    });
  };
})();
"""

MakeRun = Callable[..., str]
OpenPage = Callable[..., Dashboard]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as running:
        yield running


@pytest.fixture(autouse=True)
def complaints() -> Iterator[Complaints]:
    """Whatever a page complained of fails its test, unless the test says that it has to."""
    heard = Complaints()
    yield heard
    assert heard.unforgiven() == []


@pytest.fixture
def make_run(server: Server) -> Iterator[MakeRun]:
    """Make a run that waits at step 0; return its id."""
    made: list[str] = []

    def make(**config: Any) -> str:
        made.append(server.create(**config))
        return made[-1]

    yield make
    for run in made:
        server.client.delete(f"/api/runs/{run}")


@pytest.fixture
def open_page(browser: Browser, make_run: MakeRun, complaints: Complaints) -> Iterator[OpenPage]:
    """Open the dashboard of a server, at a run or as a newcomer.

    It is closed before the runs are deleted.
    """
    contexts: list[BrowserContext] = []

    def open_(
        server: Server, run: str | None = None, width: int = 1440, height: int = 900, **options: Any
    ) -> Dashboard:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(COUNT_FRAMES)
        complaints.listen(context, server.url)
        page = context.new_page()
        page.goto(f"{server.url}/" + (f"#run={run}" if run else ""))
        return Dashboard(page, server, run)

    yield open_
    for context in contexts:
        context.close()
