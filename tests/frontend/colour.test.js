import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { ENDS, weightColour } from "../../frontend/lib/colour.js";

const CARDS = /** @type {[boolean, string][]} */ ([
  [false, "#ffffff"],
  [true, "#151c25"],
]);
const channels = (/** @type {string} */ hex) =>
  [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** Relative luminance as WCAG defines it, of "#rrggbb". @param {string} hex */
function luminance(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** WCAG's contrast ratio of two colours, 1 to 21. @param {string} one @param {string} other */
function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

test("the ends and the middle of the ramp are the ones that are announced", () => {
  assert.equal(weightColour(-2, 2, false), ENDS.light.negative);
  assert.equal(weightColour(0, 2, false), ENDS.light.zero);
  assert.equal(weightColour(2, 2, true), ENDS.dark.positive);
});

test("the page's tokens are the same colours", () => {
  const css = readFileSync(new URL("../../frontend/css/style.css", import.meta.url), "utf8");
  for (const name of /** @type {const} */ (["negative", "zero", "positive"])) {
    assert.ok(
      css.includes(`--weight-${name}: light-dark(${ENDS.light[name]}, ${ENDS.dark[name]});`),
      name,
    );
  }
});

test("beyond the scale the colour stays at its end", () => {
  assert.equal(weightColour(Infinity, 1, false), ENDS.light.positive);
  assert.equal(weightColour(-9, 1, true), ENDS.dark.negative);
});

test("what is no number is grey", () => assert.equal(weightColour(NaN, 1, false), ENDS.light.zero));

test("every colour keeps 3:1 against its card", () => {
  for (const [dark, card] of CARDS) {
    for (let value = -1; value <= 1; value += 1 / 64) {
      const colour = weightColour(value, 1, dark);
      assert.ok(
        contrast(colour, card) >= 3,
        `${value} ${colour} on ${card}: ${contrast(colour, card)}`,
      );
    }
  }
});

test("below zero red outweighs blue, above it blue outweighs red", () => {
  for (const [dark] of CARDS) {
    for (const value of [0.1, 0.3, 0.6, 1]) {
      const [red, , blue] = channels(weightColour(-value, 1, dark));
      const [coldRed, , coldBlue] = channels(weightColour(value, 1, dark));
      assert.ok(red > blue && coldBlue > coldRed, `${value} dark ${dark}`);
    }
  }
});
