#!/usr/bin/env python
"""Makes docs/dashboard.png, the picture in the README, in a real browser.

LIVEGRAD_CHROMIUM=/usr/bin/chromium python scripts/screenshot.py
"""

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "backend")]
os.environ["PYTHONPATH"] = str(ROOT / "backend")

from tests.chromium import chromium  # noqa: E402  # needs the path set above
from tests.running import Server, serving  # noqa: E402  # needs the path set above

PICTURE = ROOT / "docs" / "dashboard.png"
SIZE = ViewportSize(width=1440, height=900)
CONFIG = {"optimizer": {"kind": "adam", "lr": 0.03}, "max_steps": 1000}
STEP = 240
RESTING_ON = "hidden_linear.weight[9, 0]"
DRAWN = """(step) => {
  const { moment, rows } = window.livegrad.store.state;
  return moment?.step === step && moment.before !== null && rows.length > 100;
}"""


def main() -> None:
    """Take the picture."""
    with (
        tempfile.TemporaryDirectory() as data,
        serving(Path(data)) as server,
        chromium() as browser,
    ):
        page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        stand(server, page)
        page.screenshot(path=PICTURE)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size // 1000} KB")


def stand(server: Server, page: Page) -> None:
    """Bring a run and its page to the state that the picture shows."""
    run = server.create(**CONFIG)
    server.command(run, "step", count=STEP)
    page.goto(f"{server.url}/#run={run}")
    page.wait_for_function(DRAWN, arg=STEP)
    page.locator(f'#network g[data-name="{RESTING_ON}"] rect.hit').hover()
    page.wait_for_function("() => document.querySelector('#network .tooltip').checkVisibility()")
    page.evaluate(
        "() => new Promise((done) => setTimeout(done, 400))"
    )  # charts are drawn five times a second


if __name__ == "__main__":
    main()
