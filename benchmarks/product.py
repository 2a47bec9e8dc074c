"""The whole product with a real browser watching: speed, latency, and the cost of a drawn frame."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.apart import apart
from benchmarks.sampling import Effort, median_ratio, percentile
from benchmarks.server import server, training
from benchmarks.table import Row
from tests.running import Server

SUBJECT = "product"
REACH_SPEED, REACH_HALF_MS, REACH_MOST_MS, REACH_DRAW_MS = 0.80, 20.0, 50.0, 4.0
OPTIMIZERS = ("sgd", "adam")
BARE_STEPS, REPETITIONS = 10_000, 5
WATCH_SECS, SETTLE_SECS, PACED_SECS = 3.0, 2.0, 8.0
PACE = 60
OPEN_SECS = 30.0
# The browser's own errands are switched off: nothing but the page loads the machine.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SAMPLES = (
    "livegrad.stats.samples().map(({ ms, latency }) => [ms, Number.isNaN(latency) ? -1 : latency * 1000])"
)
Samples = list[
    tuple[float, float]
]  # main-thread ms of a drawn frame; ms since its newest step ended, -1: nothing new


def rows(effort: Effort) -> Iterator[Row]:
    """Let a browser watch a run at full speed, for each optimizer, then one at 60 steps/s."""
    with server() as running, chromium() as browser:
        for optimizer in OPTIMIZERS:
            yield from _full_speed(running, browser, optimizer, effort)
        yield from _paced(running, browser, effort)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a headless Chromium: LIVEGRAD_CHROMIUM, the one on the path, or Playwright's own."""
    executable = os.environ.get("LIVEGRAD_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watching(running: Server, browser: Browser, run: str) -> Iterator[Page]:
    """Open the run's page, and wait until it has drawn."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{running.url}/#run={run}")
    end = time.monotonic() + OPEN_SECS
    while not page.evaluate("window.livegrad?.stats.frames > 0 && livegrad.store.state.run !== null"):
        assert time.monotonic() < end, f"the page did not draw within {OPEN_SECS:.0f} s"
        time.sleep(0.05)
    try:
        yield page
    finally:
        page.close()


def _full_speed(running: Server, browser: Browser, optimizer: str, effort: Effort) -> Iterator[Row]:
    run = training(running, optimizer)
    running.command(run, "pause")
    with watching(running, browser, run) as page:
        seen = [_one(running, page, run, optimizer, effort) for _ in range(effort.times(REPETITIONS))]
    pairs = [pair for pair, _ in seen]
    costs = [cost for _, samples in seen for cost, _ in samples]
    note = f"{median(ours for ours, _ in pairs):,.0f} of {median(bare for _, bare in pairs):,.0f} steps/s"
    what = f"steps/s as fast as it goes, a browser watching ÷ bare loop, {optimizer}"
    detail = {"ratios": [round(ours / bare, 4) for ours, bare in pairs]}
    yield Row(SUBJECT, what, median_ratio(pairs), "×", REACH_SPEED, at_least=True, note=note, detail=detail)
    drawn = len(costs) / (len(pairs) * effort.secs(WATCH_SECS))
    note = f"p99 {percentile(costs, 99):.1f} ms, {drawn:.0f} drawn/s"
    what = f"main-thread time per drawn frame at full speed, median, {optimizer}"
    yield Row(SUBJECT, what, median(costs), "ms", REACH_DRAW_MS, note=note)


def _one(
    running: Server, page: Page, run: str, optimizer: str, effort: Effort
) -> tuple[tuple[float, float], Samples]:
    bare = apart(_bare_speed, optimizer)
    running.command(run, "play")
    speed, samples = _watch(running, page, run, effort.secs(WATCH_SECS))
    running.command(run, "pause")
    return (speed, bare), samples


def _paced(running: Server, browser: Browser, effort: Effort) -> Iterator[Row]:
    run, secs = training(running, pace=PACE), effort.secs(PACED_SECS)
    with watching(running, browser, run) as page:
        _, samples = _watch(running, page, run, secs)
    running.command(run, "pause")
    late = [latency for _, latency in samples if latency >= 0]
    note = f"{len(late) / secs:.0f} drawn/s"
    for percent, reach in ((50, REACH_HALF_MS), (99, REACH_MOST_MS)):
        what = f"step finished to drawn, {PACE} steps/s, p{percent}"
        yield Row(SUBJECT, what, percentile(late, percent), "ms", reach, note=note)


def _bare_speed(optimizer: str) -> float:
    from benchmarks.bare import Loop

    return BARE_STEPS / Loop(optimizer).run(BARE_STEPS).clock


def _watch(running: Server, page: Page, run: str, seconds: float) -> tuple[float, Samples]:
    """Return the run's steps per second while the page watches, and what its newest frames took."""
    time.sleep(SETTLE_SECS)
    page.evaluate("livegrad.stats.clear()")
    begun, first = time.perf_counter(), _step(running, run)
    time.sleep(seconds)
    speed = (_step(running, run) - first) / (time.perf_counter() - begun)
    return speed, [(cost, latency) for cost, latency in page.evaluate(SAMPLES)]


def _step(running: Server, run: str) -> int:
    step: int = running.get(f"/runs/{run}")["step"]
    return step
