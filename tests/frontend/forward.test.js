import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { curve, forward, unit } from "../../frontend/lib/forward.js";

/** @typedef {{name: string, shape: number[], values: number[]}} Parameter */
/**
 * @typedef {Object} Case written by tests/contract/test_forward.py, from PyTorch
 * @property {import("../../frontend/lib/forward.js").Activation} activation
 * @property {Parameter[]} parameters
 * @property {number[]} x
 * @property {number[][]} units one list per hidden unit, over x
 * @property {number[]} output
 */

/** @type {Case[]} */
const CASES = JSON.parse(
  readFileSync(new URL("../contract/forward.json", import.meta.url), "utf8"),
);
/** Relative to the size of what is added up: PyTorch sums in float32, the page in float64. */
const TOLERANCE = 1e-6;

/**
 * A record as the stream has them: scalars first, then parameters, then gradients.
 * @param {Case} given
 */
function record({ parameters }) {
  const sizes = parameters.map(({ values }) => values.length);
  const floats = sizes.reduce((sum, size) => sum + size, 0);
  const values = new Float32Array(3 + 2 * floats).fill(NaN);
  let offset = 3;
  const columns = parameters.map(({ name, shape, values: numbers }) => {
    values.set(numbers, offset);
    const column = { name, shape, size: numbers.length, value: offset, gradient: offset + floats };
    offset += numbers.length;
    return column;
  });
  return {
    values,
    layout: { floats: values.length, scalars: new Map(), parameters: columns, states: [] },
  };
}

/** @param {number} got @param {number} expected @param {number} size @param {string} where */
const near = (got, expected, size, where) =>
  assert.ok(
    Math.abs(got - expected) <= TOLERANCE * Math.max(1, size),
    `${where}: ${got}, PyTorch ${expected}`,
  );

for (const given of CASES) {
  const { activation, x, units, output } = given;
  const { values, layout } = record(given);
  const title = `${activation}, ${units.length} hidden, ${given.parameters[0].name}`;

  test(`${title}: each hidden unit is PyTorch's`, () => {
    units.forEach((expected, j) =>
      x.forEach((at, i) =>
        near(unit(values, layout, activation, j, at), expected[i], Math.abs(expected[i]), title),
      ),
    );
  });

  test(`${title}: the output is PyTorch's`, () => {
    const out = curve(values, layout, activation, x, new Float64Array(x.length));
    x.forEach((at, i) => {
      const terms = units.map((unitValues, j) =>
        Math.abs(unitValues[i] * given.parameters[2].values[j]),
      );
      near(
        out[i],
        output[i],
        terms.reduce((sum, term) => sum + term),
        title,
      );
      assert.equal(out[i], forward(values, layout, activation, at));
    });
  });
}

test("a NaN weight makes the output NaN, with relu too", () => {
  for (const given of CASES) {
    const { values, layout } = record(given);
    values[layout.parameters[0].value] = NaN;
    assert.ok(Number.isNaN(forward(values, layout, given.activation, 1)), given.activation);
  }
});
