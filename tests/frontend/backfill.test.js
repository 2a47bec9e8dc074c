import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createBackfill,
  cut,
  EVERY_MS,
  MOST_STEPS,
  widened,
} from "../../frontend/stream/backfill.js";

/** A catch-up whose fetches and timers the test ends by hand. */
function errands({ isAtRest = false } = {}) {
  /** @type {[string, number, number][]} */
  const asked = [];
  /** @type {{resolve: () => void, reject: (error: Error) => void}[]} */
  const answers = [];
  /** @type {{callback: () => void, ms: number}[]} */
  const timers = [];
  const world = { isAtRest };
  const ask =
    (/** @type {string} */ how) =>
    (/** @type {{from: number, to: number}} */ { from, to }) => {
      asked.push([how, from, to]);
      return /** @type {Promise<void>} */ (
        new Promise((resolve, reject) =>
          answers.push({ resolve: () => resolve(undefined), reject }),
        )
      );
    };
  const backfill = createBackfill({
    exact: ask("exact"),
    thinned: ask("thinned"),
    isAtRest: () => world.isAtRest,
    setTimer: (callback, ms) => timers.push({ callback, ms }),
  });
  return { backfill, asked, answers, timers, world };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

test("a stretch grows by what is missed, and ends before what was written anew", () => {
  assert.deepEqual(widened(null, 3, 5), { from: 3, to: 5 });
  assert.deepEqual(widened({ from: 3, to: 5 }, 9, 9), { from: 3, to: 9 });
  assert.equal(widened(null, 5, 4), null);
  assert.deepEqual(cut({ from: 3, to: 9 }, 6), { from: 3, to: 5 });
  assert.equal(cut({ from: 3, to: 9 }, 3), null);
});

test("as many steps as are fetched exactly, and one more: that comes thinned", async () => {
  for (const [more, how] of /** @type {const} */ ([
    [0, "exact"],
    [1, "thinned"],
  ])) {
    const { backfill, asked } = errands();
    await backfill.begun(10, Promise.resolve());
    backfill.greeted(10 + MOST_STEPS + more);
    assert.deepEqual(asked, [[how, 11, 10 + MOST_STEPS + more]]);
  }
});

test("one fetch at a time; the next while training goes on only after a rest", async () => {
  const { backfill, asked, answers, timers } = errands();
  await backfill.begun(0, Promise.resolve());
  backfill.took({ first: 10, count: 1, skipped: 9 });
  backfill.look();
  backfill.took({ first: 20, count: 1, skipped: 9 });
  backfill.look();
  assert.deepEqual(asked, [["exact", 1, 9]]);
  answers[0].resolve();
  await settle();
  backfill.look();
  assert.equal(asked.length, 1);
  assert.equal(timers[0].ms, EVERY_MS);
  timers[0].callback();
  assert.deepEqual(asked[1], ["exact", 11, 19]);
});

test("what could not be fetched is asked for again after the next hello, not before", async () => {
  const { backfill, asked, answers, timers } = errands({ isAtRest: true });
  await backfill.begun(5, Promise.resolve());
  backfill.greeted(8);
  answers[0].reject(new Error("the server is gone again"));
  await settle();
  timers[0].callback();
  backfill.look();
  assert.equal(asked.length, 1);
  backfill.greeted(12);
  assert.deepEqual(asked[1], ["exact", 6, 12]);
});

test("while the past is loaded nothing else is fetched; skipped steps come after it", async () => {
  const { backfill, asked } = errands();
  /** @type {() => void} */
  let arrive = () => {};
  const begun = backfill.begun(100, new Promise((resolve) => (arrive = () => resolve(undefined))));
  backfill.took({ first: 110, count: 1, skipped: 9 });
  backfill.look();
  assert.deepEqual(asked, []);
  arrive();
  await begun;
  assert.deepEqual(asked, [["exact", 101, 109]]);
});

test("of a stretch that is being fetched, what was written anew is not wanted", async () => {
  const { backfill } = errands();
  await backfill.begun(0, Promise.resolve());
  backfill.took({ first: 50, count: 1, skipped: 49 });
  backfill.look();
  backfill.took({ first: 21, count: 2, skipped: 0 });
  assert.deepEqual(backfill.wanted(), { from: 1, to: 20 });
});
