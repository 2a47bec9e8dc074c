import assert from "node:assert/strict";
import { test } from "node:test";

import { niceAbove, steadyLogScale, steadyScale, ticks } from "../../frontend/lib/scale.js";

test("a bound grows at once, to a number that reads well", () => {
  const scale = steadyScale();
  assert.equal(scale.update(0.93), 1.5);
  assert.equal(scale.update(3.4), 4);
  assert.equal(scale.bound, 4);
});

test("a smaller moment does not move the bound, a long run of them does", () => {
  const scale = steadyScale(10);
  scale.update(3.4);
  for (let i = 0; i < 9; i++) assert.equal(scale.update(0.5), 4);
  assert.equal(scale.update(0.5), 0.6);
});

test("one large value in between starts the wait anew; the largest of the wait fits", () => {
  const scale = steadyScale(3);
  scale.update(3.4);
  for (const magnitude of [0.5, 0.5, 3.9, 0.5, 1.7]) assert.equal(scale.update(magnitude), 4);
  assert.equal(scale.update(0.5), 2);
});

test("what is no size changes nothing", () => {
  const scale = steadyScale();
  scale.update(2);
  for (const magnitude of [NaN, Infinity, 0]) assert.equal(scale.update(magnitude), 3);
});

test("nice numbers are never below what they stand for", () => {
  assert.deepEqual([0.012, 0.9, 1, 1.01, 7, 99].map(niceAbove), [0.015, 1, 1, 1.5, 8, 100]);
});

test("a logarithmic scale spans whole decades below its bound", () => {
  const scale = steadyLogScale(5);
  assert.equal(scale.update(34), 100);
  assert.equal(scale.floor, 1e-3);
  assert.equal(scale.fraction(100), 1);
  assert.ok(Math.abs(scale.fraction(0.1) - 0.4) < 1e-12);
  assert.ok(Math.abs(scale.fraction(1e-3)) < 1e-12);
});

test("below the floor there is nothing to draw", () => {
  const scale = steadyLogScale(5);
  scale.update(100);
  assert.deepEqual([9.9e-4, 0, NaN].map(scale.fraction), [-1, -1, -1]);
});

test("a power of ten is its own bound", () => assert.equal(steadyLogScale().update(1e-3), 1e-3));

test("ticks are round numbers within the ends", () => {
  assert.deepEqual(ticks(0, 10), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(ticks(-0.05, 0.26), [-0.05, 0, 0.05, 0.1, 0.15, 0.2, 0.25]);
  assert.deepEqual(ticks(3, 3), []);
});

test("a past step that is looked at has its own scale, whatever was shown before", () => {
  const scale = steadyScale();
  for (const before of [1e30, 0.01, 7]) {
    scale.fit(before, "passing");
    assert.equal(scale.fit(0.93, "resting"), 1.5);
  }
  scale.fit(1e30, "resting");
  assert.equal(scale.fit(NaN, "resting"), 1);
});

test("while steps are played, a scale is steady unless it is far too large", () => {
  const scale = steadyScale();
  assert.equal(scale.fit(9, "passing"), 10);
  assert.equal(scale.fit(1, "passing"), 10);
  assert.equal(scale.fit(0.5, "passing"), 0.6);
  const arrows = steadyLogScale(4);
  assert.equal(arrows.fit(50, "passing"), 100);
  assert.equal(arrows.fit(5, "passing"), 100);
  assert.equal(arrows.fit(0.5, "passing"), 1);
  assert.equal(arrows.floor, 1e-4);
});
