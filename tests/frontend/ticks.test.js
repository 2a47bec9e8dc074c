import assert from "node:assert/strict";
import { test } from "node:test";
import { logTicks } from "../../frontend/views/chart/ticks.js";

test("few decades get 1, 2 and 5; many get a power of ten now and then", () => {
  assert.deepEqual(logTicks(0.9, 12), [1, 2, 5, 10]);
  assert.deepEqual(logTicks(1e-3, 1e3), [1e-3, 1e-2, 0.1, 1, 10, 100, 1000]);
  assert.ok(logTicks(100, 3e38).length <= 7);
});

test("within less than one step there are ticks still, and nonsense has none", () => {
  assert.equal(logTicks(2.2, 2.4).length, 3);
  assert.deepEqual(logTicks(0, 10), []);
  assert.deepEqual(logTicks(5, Infinity), []);
  assert.deepEqual(logTicks(NaN, 1), []);
});
