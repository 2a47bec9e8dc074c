// The run within a replay's file: its records byte for byte, and the step that is shown for one
// that is not there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { recordingOf, snapped } from "../../frontend/replay/recording.js";

const COLUMNS = [
  { role: "scalar", name: "loss", shape: [], offset: 0 },
  { role: "parameter", name: "w", shape: [1], offset: 1 },
  { role: "gradient", name: "w", shape: [1], offset: 2 },
];

/** Record k holds k, k + ¼, k + ½. @param {[number, number][]} stretches */
function recording(stretches) {
  const steps = stretches.flatMap(([first, count]) =>
    Array.from({ length: count }, (_, i) => first + i),
  );
  const values = Float32Array.from(steps.flatMap((step) => [step, step + 0.25, step + 0.5]));
  const base64 = Buffer.from(values.buffer).toString("base64");
  const series = [{ name: "loss", steps: [0, 5, 9], values: [3, 2, 1] }];
  const facts = /** @type {any} */ ({ columns: COLUMNS, record_bytes: 12, stretches, series });
  return recordingOf(facts, base64);
}

test("records are the ones that were packed", async () => {
  const { source } = recording([
    [0, 3],
    [8, 2],
  ]);
  const found = await source.records(1, 8);
  assert.deepEqual(
    found.map(({ first, values }) => [first, ...values]),
    [
      [1, 1, 1.25, 1.5, 2, 2.25, 2.5],
      [8, 8, 8.25, 8.5],
    ],
  );
  assert.deepEqual(await source.records(3, 7), []);
  assert.equal(
    found[0].values.buffer.byteLength,
    24,
    "a copy, so that a cache counts what it holds",
  );
});

test("series are cut to the range", async () => {
  const { source } = recording([[0, 10]]);
  assert.deepEqual(await source.series(["loss"], 1, 8, 100), [
    { name: "loss", steps: [5], values: [2] },
  ]);
});

test("the stretches that are whole", async () => {
  assert.deepEqual(
    await recording([
      [0, 3],
      [8, 2],
    ]).source.exact(),
    [
      [0, 2],
      [8, 9],
    ],
  );
});

test("the nearest steps around one that is not there", async () => {
  const { source } = recording([
    [0, 3],
    [8, 2],
  ]);
  assert.deepEqual(await source.nearest(5), [2, 8]);
  assert.deepEqual(await source.nearest(20), [9]);
});

test("a moment is shown with its change: the first of a stretch is there for the second", () => {
  assert.deepEqual(
    recording([
      [0, 3],
      [8, 2],
      [20, 1],
    ]).moments,
    [0, 1, 2, 9, 20],
  );
});

test("forwards leads to the next kept step, back to the previous, dragging to the nearest", () => {
  const moments = [0, 10, 20];
  assert.equal(snapped(moments, 11, 1), 20);
  assert.equal(snapped(moments, 11, -1), 10);
  assert.equal(snapped(moments, 14, 0), 10);
  assert.equal(snapped(moments, 16, 0), 20);
  for (const way of [-1, 0, 1]) {
    assert.equal(snapped(moments, 10, way), 10);
    assert.equal(snapped(moments, -5, way), 0);
    assert.equal(snapped(moments, 99, way), 20);
  }
});
