import assert from "node:assert/strict";
import { test } from "node:test";

import { isAgainst } from "../../frontend/views/network/arrows.js";
import {
  againstText,
  gradientText,
  powerText,
  unknownChange,
} from "../../frontend/views/network/legend.js";

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
  assert.equal(gradientText(["none", "none"], 0), ".grad is None: no backward() yet");
  assert.equal(gradientText(["none", "none"], 3), ".grad is None again: zero_grad()");
  assert.match(gradientText(["stale", "stale"], 3), /stale/);
  assert.match(gradientText(["fresh", "fresh"], 3), /↑ makes the number larger, ↓ smaller/);
});

test("the legend counts the changes that went against their gradient", () => {
  assert.match(againstText({ disagreements: 0, areAllFinite: true }), /none/);
  assert.match(againstText({ disagreements: 7, areAllFinite: true }), /≠.*7/);
  assert.match(againstText({ disagreements: 0, areAllFinite: false }), /not finite/);
});

test("the legend says why there is no change to show", () => {
  const why = (/** @type {number} */ step, /** @type {any} */ phase = "step") =>
    unknownChange({ step, phase });
  assert.equal(why(3, "backward"), "shown after step()");
  assert.equal(why(0), "no update yet");
  assert.equal(why(22_272), "no record of step 22,271");
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
