import assert from "node:assert/strict";
import { test } from "node:test";
import { createClock, createStats } from "../../frontend/stream/clock.js";

/** Frames on demand. */
function createScreen() {
  /** @type {((now: number) => void)[]} */
  const waiting = [];
  return {
    nextFrame: (/** @type {(now: number) => void} */ callback) => waiting.push(callback),
    refresh: () => waiting.splice(0).forEach((callback) => callback(performance.now())),
    get isAsked() {
      return waiting.length > 0;
    },
  };
}

test("many changes are one frame, and nothing is drawn when nothing changed", () => {
  const screen = createScreen();
  const stats = createStats();
  const clock = createClock(stats, screen.nextFrame);
  let draws = 0;
  clock.add(() => draws++);
  screen.refresh();
  for (let i = 0; i < 50; i++) clock.invalidate();
  screen.refresh();
  assert.equal(draws, 2);
  assert.equal(screen.isAsked, false, "the loop stops when clean");
  assert.equal(stats.frames, 2);
});

test("a slow part waits its time, then shows the newest; a person's action does not wait", () => {
  const screen = createScreen();
  const clock = createClock(createStats(), screen.nextFrame);
  let draws = 0;
  clock.add(() => draws++, 60_000);
  screen.refresh();
  clock.invalidate();
  screen.refresh();
  assert.equal(draws, 1);
  assert.equal(screen.isAsked, true, "what waits is not forgotten");
  clock.invalidate(true);
  screen.refresh();
  assert.equal(draws, 2);
});

test("listeners hear of frames that drew, after they drew", () => {
  const screen = createScreen();
  const clock = createClock(createStats(), screen.nextFrame);
  /** @type {string[]} */
  const order = [];
  clock.onDrawn(() => order.push("drawn"));
  const remove = clock.add(() => order.push("draw"));
  screen.refresh();
  remove();
  clock.invalidate();
  screen.refresh();
  assert.deepEqual(order, ["draw", "drawn"]);
});

test("a sample is the time of a frame with its messages; latency needs a record", () => {
  const stats = createStats();
  stats.received(2);
  stats.stamped(Date.now() / 1000 - 0.25);
  stats.drew(3);
  stats.drew(1);
  const [first, second] = stats.samples();
  assert.equal(first.ms, 5);
  assert.ok(Math.abs(first.latency - 0.25) < 0.05);
  assert.deepEqual(second, { ms: 1, latency: NaN });
  stats.clear();
  assert.deepEqual(stats.samples(), []);
});

test("measurements are bounded and keep the newest", () => {
  const stats = createStats();
  for (let i = 0; i < 2000; i++) stats.drew(i);
  const samples = stats.samples();
  assert.ok(samples.length <= 512);
  assert.equal(samples.at(-1)?.ms, 1999);
});
