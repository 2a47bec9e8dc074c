import assert from "node:assert/strict";
import { test } from "node:test";

import { isAgainst } from "../../frontend/views/network/arrows.js";
import { changeText, gradientText, powerText } from "../../frontend/views/network/legend.js";

test("powers of ten are written as by hand", () => {
  assert.deepEqual([1e-12, 1e-3, 1, 10, 1e20].map(powerText), [
    "10⁻¹²",
    "10⁻³",
    "10⁰",
    "10¹",
    "10²⁰",
  ]);
});

test("the legend says what .grad is at this moment", () => {
  assert.match(gradientText(["none", "none"]), /None/);
  assert.match(gradientText(["stale", "stale"]), /stale/);
  assert.match(gradientText(["fresh", "fresh"]), /↑ makes the number larger, ↓ smaller/);
});

test("the legend counts the changes that went against their gradient", () => {
  assert.match(changeText(false, 0), /after step\(\)/);
  assert.match(changeText(true, 0), /none/);
  assert.match(changeText(true, 7), /≠.*7/);
});

test("standing still, or an unknown, is no disagreement", () => {
  assert.ok(isAgainst(1, -1e-9) && isAgainst(-1, 1e-9));
  for (const [downhill, change] of [
    [1, 1],
    [-1, -1],
    [0, 1],
    [1, 0],
    [NaN, 1],
    [1, NaN],
  ]) {
    assert.ok(!isAgainst(downhill, change), `${downhill} ${change}`);
  }
});
