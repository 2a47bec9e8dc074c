import assert from "node:assert/strict";
import { test } from "node:test";
import { gradientAt, gradientFormula, updateRule } from "../../frontend/lib/formula.js";
import { forward } from "../../frontend/lib/forward.js";
import { layoutOf } from "../../frontend/stream/protocol.js";
import { columns, FLOATS, run } from "./frames.js";

const layout = /** @type {import("../../frontend/types.js").Layout} */ (
  layoutOf(columns(), FLOATS * 4)
);
const points = { x: [3.5, -1.2, 0.4, 2], y: [0.5, 14, -3, 6] };
const values = new Float32Array(FLOATS);
values.set([0.7, -0.4, 0.2, 0.9, 1.3, -0.8, 0.25], layout.parameters[0].value);
const ACTIVATIONS = /** @type {const} */ (["tanh", "sigmoid", "relu", "none"]);
const elements = layout.parameters.flatMap(({ size }, parameter) =>
  Array.from({ length: size }, (_, index) => ({
    kind: /** @type {const} */ ("parameter"),
    parameter,
    index,
  })),
);

/**
 * Mean squared error, with one number moved; in float64.
 * @param {any} activation
 * @param {number} at
 * @param {number} by
 */
function lossAt(activation, at, by) {
  const moved = Float64Array.from(values);
  moved[at] += by;
  const errors = points.x.map(
    (x, i) => forward(/** @type {any} */ (moved), layout, activation, x) - points.y[i],
  );
  return errors.reduce((sum, error) => sum + error * error, 0) / errors.length;
}

/** @param {any[]} symbols */
const textOf = (symbols) =>
  symbols
    .map(({ text, sub = "", sup = "" }) => text + sub + sup)
    .join("")
    .replaceAll("\u00a0", " ");

for (const activation of ACTIVATIONS) {
  test(`the formula is the slope of the loss by finite differences: ${activation}`, () => {
    for (const target of elements) {
      const at = layout.parameters[target.parameter].value + target.index;
      const slope = (lossAt(activation, at, 1e-5) - lossAt(activation, at, -1e-5)) / 2e-5;
      const worked = gradientAt(values, layout, activation, points, target);
      assert.ok(
        Math.abs(worked - slope) <= 1e-6 * Math.max(1, Math.abs(slope)),
        `${JSON.stringify(target)}: ${worked}, ${slope}`,
      );
    }
  });
}

test("the written formula follows the chain rule from the loss to the parameter", () => {
  const write = (/** @type {number} */ parameter, /** @type {any} */ activation) =>
    textOf(
      gradientFormula({ kind: "parameter", parameter, index: 1 }, { ...run().config, activation }),
    );
  assert.equal(write(3, "tanh"), "∂L/∂c = Σi 2/n (y_predi − yi)");
  assert.equal(write(2, "tanh"), "∂L/∂v1 = Σi 2/n (y_predi − yi) · h1,i");
  assert.equal(write(1, "tanh"), "∂L/∂b1 = Σi 2/n (y_predi − yi) · v1 · (1 − h1,i2)");
  assert.equal(write(0, "tanh"), "∂L/∂w1 = Σi 2/n (y_predi − yi) · v1 · (1 − h1,i2) · xi");
  assert.equal(write(0, "sigmoid"), "∂L/∂w1 = Σi 2/n (y_predi − yi) · v1 · h1,i(1 − h1,i) · xi");
  assert.equal(write(0, "relu"), "∂L/∂w1 = Σi 2/n (y_predi − yi) · v1 · [h1,i > 0] · xi");
  assert.equal(write(0, "none"), "∂L/∂w1 = Σi 2/n (y_predi − yi) · v1 · xi");
});

test("each optimizer's rule is written with its own arguments", () => {
  const rule = (/** @type {any} */ optimizer) =>
    updateRule({ ...run().config, optimizer }).map(textOf);
  assert.deepEqual(rule({ kind: "sgd" }), ["p ← p − lr·.grad"]);
  assert.deepEqual(rule({ kind: "sgd", weight_decay: 0.1 }), ["p ← p − lr·(.grad + 0.1·p)"]);
  assert.deepEqual(rule({ kind: "sgd", momentum: 0.9 }), [
    "momentum_buffer ← 0.9·momentum_buffer + .grad",
    "p ← p − lr·momentum_buffer",
  ]);
  assert.match(
    rule({ kind: "sgd", momentum: 0.9, nesterov: true })[1],
    /\.grad \+ 0\.9·momentum_buffer/,
  );
  assert.match(
    rule({ kind: "adam", betas: [0.9, 0.999] })[1],
    /exp_avg_sq ← 0\.999·exp_avg_sq \+ 0\.001·\.grad²/,
  );
  assert.equal(
    rule({ kind: "adamw", betas: [0.9, 0.999], weight_decay: 0.01 })[0],
    "p ← p − lr·0.01·p",
  );
  assert.equal(
    rule({ kind: "rmsprop", alpha: 0.99, eps: 1e-8 }).at(-1),
    "p ← p − lr·.grad ÷ (√(square_avg) + 1e-8)",
  );
  assert.deepEqual(rule({ kind: "sgd", momentum: 0.5, dampening: 0.9 }).slice(0, 2), [
    "at its first update: momentum_buffer ← .grad",
    "momentum_buffer ← 0.5·momentum_buffer + 0.1·.grad",
  ]);
});

test("an optimizer without a rule here shows none instead of another's", () => {
  assert.deepEqual(updateRule({ ...run().config, optimizer: { kind: "adamax", lr: 0.002 } }), []);
});
