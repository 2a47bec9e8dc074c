"""Measures how fast past steps of a run of 1,000,000 steps are drawn."""

import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from playwright.sync_api import Page

from benchmarks.product import chromium, watching
from benchmarks.sampling import Effort, percentile
from benchmarks.table import Row
from livegrad.protocol import RECORDS, Frame
from livegrad.store.compaction import compact
from livegrad.store.log import RunLog
from livegrad.store.writes import Append
from tests.running import serving

SUBJECT = "timeline"
STEPS, AT_ONCE = 1_000_000, 4096
REACH_SHOWN_MS, REACH_FRAMES, REACH_MEGABYTES = (
    50.0,
    57.0,
    16.8,
)  # 60 frames/s, minus those that a busy screen drops
ASKED, DRAG_SECS = 300, 6.0

# Steps are requested as the keyboard does. A step has arrived once a frame has drawn its own
# record.
ASK = """async (steps) => {
  const { store } = livegrad;
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const taken = [];
  for (const step of steps) {
    const asked = performance.now();
    store.dispatch({ type: "visit", step });
    while (store.state.visited?.moment?.step !== step) await frame();
    await new Promise((resolve) => setTimeout(resolve)); // behind the drawing of this very frame
    taken.push(performance.now() - asked);
  }
  return taken;
}"""
# The pointer moves back and forth over the whole run, one move per frame.
DRAG = """(ms) => new Promise((resolve) => {
  const track = document.getElementById("track");
  const { left, width, top } = track.getBoundingClientRect();
  const frames = [];
  livegrad.stats.clear();
  const move = (now) => {
    frames.push(now);
    const clientX = left + width * (0.4 + 0.38 * Math.sin(now / 400));
    const place = { clientX, clientY: top + 5, bubbles: true };
    track.dispatchEvent(new PointerEvent("pointermove", place));
    if (now - frames[0] < ms) requestAnimationFrame(move);
    else resolve([frames, livegrad.stats.samples().map(({ ms }) => ms)]);
  };
  requestAnimationFrame(move);
})"""


def rows(effort: Effort) -> Iterator[Row]:
    """Make a long run, open its page, and look at past steps."""
    steps = STEPS // 20 if effort.is_quick else STEPS
    with TemporaryDirectory() as folder:
        run = _long_run(Path(folder), steps)
        with (
            serving(Path(folder)) as running,
            chromium() as browser,
            watching(running, browser, run) as page,
        ):
            yield from _shown(page, steps, effort)
            yield _dragged(page, effort)
            held = page.evaluate("livegrad.recordCache().bytes") / 1e6
            yield Row(
                SUBJECT, "history that the page then holds in memory", held, "MB", REACH_MEGABYTES
            )


def _shown(page: Page, steps: int, effort: Effort) -> Iterator[Row]:
    chance = random.Random(0)
    page.evaluate(ASK, [1, 2, 3])  # loads the modules
    anywhere = page.evaluate(ASK, [chance.randrange(steps) for _ in range(effort.times(ASKED))])
    near = page.evaluate(ASK, list(range(steps // 2, steps // 2 + effort.times(ASKED))))
    for what, taken in (("any step", anywhere), ("the next step", near)):
        note = f"median {percentile(taken, 50):.0f} ms, of {len(taken)}"
        words = f"{what} of {steps:,} asked for to drawn, p95"
        yield Row(SUBJECT, words, percentile(taken, 95), "ms", REACH_SHOWN_MS, note=note)


def _dragged(page: Page, effort: Effort) -> Row:
    box = page.locator("#track").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 10, middle)
    page.mouse.down()
    frames, costs = page.evaluate(DRAG, effort.secs(DRAG_SECS) * 1000)
    page.mouse.up()
    gaps = np.diff(frames)
    note = (
        f"longest {gaps.max():.0f} ms; drawing takes {percentile(costs, 50):.1f} ms, p99 "
        f"{percentile(costs, 99):.1f}"
    )
    speed = 1000 * len(gaps) / (frames[-1] - frames[0])
    return Row(
        SUBJECT, "frames while dragging", speed, "frames/s", REACH_FRAMES, at_least=True, note=note
    )


def _long_run(folder: Path, steps: int) -> str:
    """Train one run briefly, then write made-up records after it, and compact them."""
    with serving(folder) as running:
        run = running.create(optimizer={"kind": "adam"}, pace=None, max_steps=10_000_000)
        running.command(run, "step", count=1)
    log = RunLog(folder / "livegrad.sqlite3")
    try:
        _extend(log, run, steps)
        while compact(log):
            pass
    finally:
        log.close()
    return run


def _extend(log: RunLog, run: str, steps: int) -> None:
    chance = np.random.default_rng(0)
    last = log.frame(run, 1)
    assert last is not None
    row = np.frombuffer(last.payload, np.float32)
    epoch = last.epoch
    for first in range(2, steps + 1, AT_ONCE):
        count = min(AT_ONCE, steps + 1 - first)
        drift = chance.normal(scale=1e-3, size=(count, len(row))).astype(np.float32)
        payload = (row * (1 + drift)).astype(np.float32).tobytes()
        log.apply([Append.frames(run, epoch, Frame(RECORDS, count, first, epoch, 0, 1.0, payload))])
