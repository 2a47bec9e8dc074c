import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordCache } from "../../frontend/time/record_cache.js";

const FLOATS = 4;
const RECORD_BYTES = FLOATS * 4;

/** Every float of record k is k. @param {number} from @param {number} to */
function chunk(from, to) {
  const values = new Float32Array((to - from + 1) * FLOATS);
  values.forEach((_, i) => (values[i] = from + Math.floor(i / FLOATS)));
  return { first: from, values };
}

/**
 * A source whose answers the test lets go by hand.
 * @param {(from: number, to: number) => any[]} [answer]
 */
function source(answer = (from, to) => [chunk(from, to)]) {
  /**
   * @type {{
   *   from: number,
   *   to: number,
   *   signal: AbortSignal,
   *   answer: () => Promise<void>,
   *   fail: (error: Error) => Promise<void>,
   * }[]}
   */
  const asked = [];
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    asked,
    series: async () => [],
    nearest: async () => [],
    exact: async () => [],
    records(/** @type {number} */ from, /** @type {number} */ to, /** @type {any} */ signal) {
      return /** @type {Promise<any[]>} */ (
        new Promise((resolve, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
          asked.push({
            ...{ from, to, signal },
            answer: async () => {
              resolve(answer(from, to));
              await turn();
            },
            fail: async (error) => {
              reject(error);
              await turn();
            },
          });
        })
      );
    },
  };
}

/** One that answers by itself. @param {(from: number, to: number) => any[]} [answer] */
function ready(answer = (from, to) => [chunk(from, to)]) {
  /** @type {[number, number][]} */
  const asked = [];
  return {
    asked,
    series: async () => [],
    nearest: async () => [],
    exact: async () => [],
    async records(/** @type {number} */ from, /** @type {number} */ to) {
      asked.push([from, to]);
      return answer(from, to);
    },
  };
}

const bounds = () => ({ first: 0, last: 999 });
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("any step comes exactly, with the record before it, even after evictions", async () => {
  const recordCache = new RecordCache(ready(), FLOATS, bounds, {
    span: 8,
    budget: 40 * RECORD_BYTES,
  });
  let step = 1;
  for (let i = 0; i < 2000; i++) {
    step = (step * 1103515245 + 12345) % 1000;
    const entry = await recordCache.record(step);
    assert.ok(entry);
    assert.deepEqual([entry.step, ...entry.values], [step, step, step, step, step]);
    assert.deepEqual(
      entry.before === null ? null : [...entry.before],
      step === 0 ? null : Array(FLOATS).fill(step - 1),
    );
  }
});

test("the cache stays within its budget, and what was used last stays longest", async () => {
  const from = ready();
  const recordCache = new RecordCache(from, FLOATS, bounds, { span: 8, budget: 30 * RECORD_BYTES });
  for (let step = 0; step < 1000; step += 3) {
    await recordCache.record(step);
    assert.ok(recordCache.bytes <= 30 * RECORD_BYTES, `${recordCache.bytes} bytes`);
  }
  await recordCache.record(0);
  await recordCache.record(8);
  await recordCache.record(1); // the first range again: the second is now the oldest
  await recordCache.record(16);
  await recordCache.record(24);
  assert.ok(recordCache.peek(1));
  assert.equal(recordCache.peek(8), undefined);
});

test("what is in the cache is not asked for again", async () => {
  const from = ready();
  const recordCache = new RecordCache(from, FLOATS, bounds, { span: 8 });
  for (const step of [17, 16, 23, 20]) await recordCache.record(step);
  assert.deepEqual(from.asked, [[15, 23]]);
  assert.equal(
    recordCache.peek(15),
    undefined,
    "the record before a range is there for the change only",
  );
});

test("during a fetch only the newest request waits; the ones between get undefined", async () => {
  const from = source();
  const recordCache = new RecordCache(from, FLOATS, bounds, { span: 8 });
  const wishes = [100, 200, 300, 400].map((step) => recordCache.record(step));
  assert.equal(from.asked.length, 1);
  await from.asked[0].answer();
  assert.deepEqual(await Promise.all(wishes.slice(0, 3)), [undefined, undefined, undefined]);
  await from.asked[1].answer();
  assert.equal((await wishes[3])?.step, 400);
  assert.deepEqual(
    from.asked.map(({ from: first }) => first),
    [95, 399],
  );
  assert.equal(recordCache.nearest(110)?.step, 103, "what came too late is kept all the same");
});

test("a fetch that nobody waits for is given up when it is slow; a prefetch at once", async () => {
  let now = 0;
  const from = source();
  const recordCache = new RecordCache(from, FLOATS, bounds, { span: 8, now: () => now });
  void recordCache.record(100);
  void recordCache.record(200);
  assert.equal(from.asked[0].signal.aborted, false);
  now = 1000;
  const wish = recordCache.record(300);
  assert.equal(from.asked[0].signal.aborted, true);
  await turn();
  await from.asked[1].answer();
  assert.equal((await wish)?.step, 300);
  recordCache.prefetch(300, 1);
  assert.deepEqual([from.asked[2].from, from.asked[2].to], [303, 311]);
  void recordCache.record(500);
  assert.equal(from.asked[2].signal.aborted, true);
});

test("ranges ahead are fetched in the direction of play, one after the other", async () => {
  const from = ready();
  const recordCache = new RecordCache(from, FLOATS, bounds, { span: 8 });
  await recordCache.record(80);
  recordCache.prefetch(80, -1);
  for (let i = 0; i < 10; i++) await turn();
  assert.deepEqual(
    from.asked.map(([first]) => first),
    [79, 71, 63, 55],
  );
});

test("a step that is not kept is said to be absent, not asked for again", async () => {
  const from = ready((first, last) => [chunk(first, first), chunk(last, last)]);
  const recordCache = new RecordCache(from, FLOATS, bounds, { span: 8 });
  assert.equal(await recordCache.record(20), null);
  const last = await recordCache.record(23);
  assert.deepEqual([last?.step, last?.before], [23, null]);
  assert.equal(from.asked.length, 1);
});

test("the live end grows: what came since is fetched", async () => {
  let last = 20;
  const from = ready();
  const recordCache = new RecordCache(from, FLOATS, () => ({ first: 0, last }), { span: 8 });
  await recordCache.record(20);
  last = 22;
  assert.equal((await recordCache.record(22))?.values[0], 22);
  assert.deepEqual(from.asked, [
    [15, 20],
    [15, 22],
  ]);
  assert.equal(recordCache.bytes, 8 * RECORD_BYTES, "the range before it is gone");
});

test("a failed fetch fails the wish, and the next one is tried", async () => {
  const from = source();
  const recordCache = new RecordCache(from, FLOATS, bounds, { span: 8 });
  const wish = recordCache.record(1);
  const failed = assert.rejects(wish, /away/);
  await from.asked[0].fail(new Error("away"));
  await failed;
  const again = recordCache.record(1);
  await from.asked[1].answer();
  assert.equal((await again)?.step, 1);
});

test("a closed cache drops everything", async () => {
  const from = source();
  const recordCache = new RecordCache(from, FLOATS, bounds, { span: 8 });
  const wish = recordCache.record(1);
  recordCache.close();
  assert.equal(await wish, undefined);
  assert.equal(from.asked[0].signal.aborted, true);
  assert.equal(recordCache.bytes, 0);
});
