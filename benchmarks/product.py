"""Measures the whole product with a real browser: speed, latency, and the cost of a drawn frame."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import psutil
from playwright.sync_api import Browser, Page

from benchmarks.apart import apart
from benchmarks.sampling import Effort, Spent, median_ratio, percentile
from benchmarks.server import newest_trainer, server, training
from benchmarks.table import Row
from tests.chromium import chromium as chromium  # benchmarks.timeline imports it from here
from tests.running import Server

SUBJECT = "product"
REACH_SPEED, REACH_HALF_MS, REACH_MOST_MS, REACH_DRAW_MS = 0.80, 20.0, 50.0, 4.0
OPTIMIZERS = ("sgd", "adam")
BARE_STEPS, REPETITIONS = 10_000, 5
WATCH_SECS, SETTLE_SECS, PACED_SECS = 3.0, 2.0, 8.0
PACE = 60
OPEN_SECS = 30.0
SAMPLES = (
    "livegrad.stats.samples().map(({ ms, latency }) => [ms, Number.isNaN(latency) ? -1 : latency "
    "* 1000])"
)
Samples = list[
    tuple[float, float]
]  # main-thread ms of a drawn frame; ms since its newest step ended, or −1 without a new step


def rows(effort: Effort) -> Iterator[Row]:
    """Let a browser watch a run at full speed for each optimizer, then one at 60 steps/s."""
    with server() as running, chromium() as browser:
        for optimizer in OPTIMIZERS:
            yield from _full_speed(running, browser, optimizer, effort)
        yield from _paced(running, browser, effort)


@contextmanager
def watching(running: Server, browser: Browser, run: str) -> Iterator[Page]:
    """Open the run's page, and wait until it has drawn."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{running.url}/#run={run}")
    end = time.monotonic() + OPEN_SECS
    while not page.evaluate(
        "window.livegrad?.stats.frames > 0 && livegrad.store.state.run !== null"
    ):
        assert time.monotonic() < end, f"the page did not draw within {OPEN_SECS:.0f} s"
        time.sleep(0.05)
    try:
        yield page
    finally:
        page.close()


@dataclass(frozen=True, slots=True)
class Seen:
    """One watch at full speed, with the bare loop's step measured immediately before."""

    bare: Spent
    step: Spent  # the trainer's time per step, of all its threads together
    samples: Samples


def _full_speed(running: Server, browser: Browser, optimizer: str, effort: Effort) -> Iterator[Row]:
    run = training(running, optimizer)
    trainer = newest_trainer(running)
    running.command(run, "pause")
    with watching(running, browser, run) as page:
        seen = [
            _one(running, page, run, trainer, optimizer, effort)
            for _ in range(effort.times(REPETITIONS))
        ]
    yield _speed_row(f"steps/s at full speed with a browser ÷ bare loop, {optimizer}", seen)
    costs = [cost for one in seen for cost, _ in one.samples]
    drawn = len(costs) / (len(seen) * effort.secs(WATCH_SECS))
    note = f"p99 {percentile(costs, 99):.1f} ms, {drawn:.0f} drawn/s"
    what = f"main-thread time per drawn frame at full speed, median, {optimizer}"
    yield Row(SUBJECT, what, median(costs), "ms", REACH_DRAW_MS, note=note)


def _speed_row(what: str, seen: list[Seen]) -> Row:
    ratio = median_ratio([(one.bare.clock, one.step.clock) for one in seen])
    processor = median_ratio([(one.bare.processor, one.step.processor) for one in seen])
    ours, bare = (
        median(1 / one.step.clock for one in seen),
        median(1 / one.bare.clock for one in seen),
    )
    note = f"{ours:,.0f} of {bare:,.0f} steps/s; in processor time {processor:.2f} ×"
    detail = {
        "processor": processor,
        "ratios": [round(one.bare.clock / one.step.clock, 4) for one in seen],
    }
    return Row(SUBJECT, what, ratio, "×", REACH_SPEED, at_least=True, note=note, detail=detail)


def _one(
    running: Server, page: Page, run: str, trainer: psutil.Process, optimizer: str, effort: Effort
) -> Seen:
    bare = apart(_bare, optimizer)
    running.command(run, "play")
    time.sleep(SETTLE_SECS)
    page.evaluate("livegrad.stats.clear()")
    begun, first, processor = time.perf_counter(), _step(running, run), _processor(trainer)
    time.sleep(effort.secs(WATCH_SECS))
    spent = Spent(time.perf_counter() - begun, _processor(trainer) - processor)
    step = spent.each(_step(running, run) - first)
    samples = _samples(page)
    running.command(run, "pause")
    return Seen(bare, step, samples)


def _paced(running: Server, browser: Browser, effort: Effort) -> Iterator[Row]:
    run, secs = training(running, pace=PACE), effort.secs(PACED_SECS)
    with watching(running, browser, run) as page:
        time.sleep(SETTLE_SECS)
        page.evaluate("livegrad.stats.clear()")
        time.sleep(secs)
        samples = _samples(page)
    running.command(run, "pause")
    late = [latency for _, latency in samples if latency >= 0]
    note = f"{len(late) / secs:.0f} drawn/s"
    for percent, reach in ((50, REACH_HALF_MS), (99, REACH_MOST_MS)):
        what = f"step finished to drawn, {PACE} steps/s, p{percent}"
        yield Row(SUBJECT, what, percentile(late, percent), "ms", reach, note=note)


def _bare(optimizer: str) -> Spent:
    from benchmarks.bare import Loop

    return Loop(optimizer).run(BARE_STEPS).each(BARE_STEPS)


def _samples(page: Page) -> Samples:
    return [(cost, latency) for cost, latency in page.evaluate(SAMPLES)]


def _processor(process: psutil.Process) -> float:
    times = process.cpu_times()
    seconds: float = times.user + times.system
    return seconds


def _step(running: Server, run: str) -> int:
    step: int = running.get(f"/runs/{run}")["step"]
    return step
