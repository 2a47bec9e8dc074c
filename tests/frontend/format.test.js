import assert from "node:assert/strict";
import { test } from "node:test";

import { elementName, exact, format, shapeText, subscripts } from "../../frontend/lib/format.js";

test("a number has the significant digits that were asked for, and a real minus sign", () => {
  const written = [0.5239, 12.3456, -0.00202, 99999, 0.99996, 0.00099999, 2.1e-5].map((value) =>
    format(value),
  );
  assert.deepEqual(written, [
    "0.5239",
    "12.35",
    "−0.002020",
    "1.000e5",
    "1.000",
    "0.001000",
    "2.100e-5",
  ]);
  assert.equal(format(2.13e-5, 2), "2.1e-5");
  assert.equal(format(0), "0");
});

test("what is no number is named", () => {
  assert.deepEqual(
    [NaN, Infinity, -Infinity].map((value) => format(value)),
    ["nan", "inf", "−inf"],
  );
  assert.deepEqual([NaN, Infinity, -Infinity, -0].map(exact), ["nan", "inf", "-inf", "-0"]);
});

test("exact text reads back as the same float32, for any bits", () => {
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  for (let i = 0; i < 20000; i++) {
    bits[0] = Math.imul(i + 1, 2654435761);
    if (!Number.isFinite(float[0])) continue;
    assert.ok(Object.is(Math.fround(Number(exact(float[0]))), float[0]), `${float[0]}`);
  }
});

test("exact text is the shortest one", () => {
  for (const text of ["0.1", "0.5239", "-3.25e-9", "16777216", "1.1754944e-38", "3.4028235e+38"]) {
    assert.equal(exact(Math.fround(Number(text))), text);
  }
});

test("elements are named as PyTorch prints and indexes them", () => {
  const column = (/** @type {string} */ name, /** @type {number[]} */ shape) => ({
    name,
    shape,
    size: 13,
    value: 0,
    gradient: 0,
  });
  const parameters = [
    column("hidden_linear.weight", [13, 1]),
    column("0.bias", [13]),
    column("2.weight", [1, 13]),
  ];
  const layout = { floats: 0, scalars: new Map(), parameters, states: [] };
  const name = (/** @type {number} */ parameter) =>
    elementName(layout, { kind: "parameter", parameter, index: 9 });
  assert.deepEqual([0, 1, 2].map(name), [
    "hidden_linear.weight[9, 0]",
    "0.bias[9]",
    "2.weight[0, 9]",
  ]);
  assert.equal(elementName(layout, { kind: "unit", unit: 4 }), "unit 4");
  assert.equal(elementName(layout, { kind: "output" }), "output");
});

test("subscripts are row-major", () => {
  assert.deepEqual(subscripts([2, 3, 4], 23), [1, 2, 3]);
  assert.equal(shapeText([13, 1]), "[13, 1]");
});
