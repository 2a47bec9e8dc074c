// What counts as a number in every field of the page, and what does not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCount, parseDecimal, parseGrouped } from "../../frontend/lib/number.js";
import { fieldsOf, fieldValue } from "../../frontend/lib/schema.js";

const DECIMALS = /** @type {[string, number][]} */ ([
  ["0", 0],
  ["0.001", 0.001],
  [" 1.5 ", 1.5],
  [".5", 0.5],
  ["5.", 5],
  ["1e-3", 1e-3],
  ["1E+2", 100],
  ["-3", -3],
  ["−3", -3],
  ["+3", 3],
  ["007", 7],
]);

const OTHERS = [
  "",
  " ",
  "0x10",
  "0b1",
  "0o7",
  "1e",
  "e1",
  "1_0",
  "Infinity",
  "-Infinity",
  "NaN",
  "1e999",
  "1,5",
  "--1",
  "1 0",
  ".",
  "٣",
  "1n",
  "0.1f",
  "ten",
];

test("a decimal number is read as what it says", () => {
  for (const [text, value] of DECIMALS) assert.equal(parseDecimal(text), value, text);
});

test("whatever else is no number", () => {
  for (const text of OTHERS) assert.equal(parseDecimal(text), null, text);
});

test("thousands may have commas, in their places", () => {
  assert.equal(parseGrouped("1,000"), 1000);
  assert.equal(parseGrouped("12,345,678.5"), 12345678.5);
  for (const text of ["1,00", "1,0000", ",100", "1,,000", "0x1,000"])
    assert.equal(parseGrouped(text), null, text);
});

test("a count is a whole number from 0 on", () => {
  assert.equal(parseCount("1,200"), 1200);
  assert.equal(parseCount("0"), 0);
  for (const text of ["-1", "1.5", "1e3", "", " ", "0x10", "99999999999999999999"])
    assert.equal(parseCount(text), null, text);
});

test("a field of a form goes to the server as it was typed, unless it is a decimal number", () => {
  const schema = {
    components: {
      schemas: {
        Config: {
          properties: {
            lr: { type: "number" },
            size: { anyOf: [{ type: "integer" }, { type: "null" }] },
            betas: { type: "array" },
          },
        },
      },
    },
  };
  const [lr, size, betas] = fieldsOf(schema, "Config");
  assert.equal(fieldValue(lr, "1e-3"), 1e-3);
  for (const text of ["0x10", "1e", "0b1", "1_0", "Infinity"]) {
    assert.equal(fieldValue(lr, text), text);
    assert.equal(fieldValue(size, text), text);
    assert.deepEqual(fieldValue(betas, `0.9, ${text}`), [0.9, text]);
  }
  assert.equal(fieldValue(lr, " "), "");
  assert.equal(fieldValue(size, " "), null);
});
