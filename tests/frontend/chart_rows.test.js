import assert from "node:assert/strict";
import { test } from "node:test";
import { norm } from "../../frontend/lib/number.js";
import {
  appendRecords,
  createChartRows,
  insertRecords,
  insertSeries,
  joinPast,
  seriesNames,
} from "../../frontend/stream/chart_rows.js";
import { decodeFrame, layoutOf } from "../../frontend/stream/protocol.js";
import { columns, FLOATS, frame } from "./frames.js";

const layout = /** @type {import("../../frontend/types.js").Layout} */ (
  layoutOf(columns(), FLOATS * 4)
);

/**
 * @param {import("../../frontend/types.js").ChartRows} rows
 * @param {number} first
 * @param {number} count
 */
function append(rows, first, count) {
  return appendRecords(rows, layout, first, decodeFrame(frame({ first, count }), layout).values);
}

/** @param {import("../../frontend/types.js").ChartRows} rows */
const stepsOf = (rows) => [...rows.steps.subarray(0, rows.length)];

test("each record is a row: loss, validation loss and a norm for each gradient", () => {
  let rows = createChartRows(4, 16);
  rows = append(rows, 0, 3);
  assert.deepEqual([...rows.steps.subarray(0, 3)], [0, 1, 2]);
  assert.equal(rows.loss[1], 50);
  assert.equal(rows.norms[0][2], Math.hypot(2, 2));
  assert.equal(rows.norms[3][2], 2);
});

test("a None gradient has the norm NaN", () => {
  assert.ok(Number.isNaN(norm([1, NaN], 0, 2)));
});

test("a run that goes on from an older step trains the steps after it again", () => {
  let rows = createChartRows(4, 16);
  rows = append(rows, 0, 6);
  rows = append(rows, 3, 2);
  assert.deepEqual(stepsOf(rows), [0, 1, 2, 3, 4]);
});

test("a long run stays bounded and keeps every spike, at its own step", () => {
  let rows = createChartRows(4, 600);
  const spikes = [777, 5003, 9990];
  for (let step = 0; step < 10_000; step++) {
    const values = decodeFrame(frame({ first: step }), layout).values;
    if (spikes.includes(step)) values[0] = 1e6 + step;
    if (step === 4444)
      values.fill(1e9, layout.parameters[1].gradient, layout.parameters[1].gradient + 2);
    rows = appendRecords(rows, layout, step, values);
  }
  assert.ok(rows.length <= 600);
  const steps = stepsOf(rows);
  assert.deepEqual(
    steps,
    [...steps].sort((a, b) => a - b),
  );
  assert.ok(steps.filter((step) => step < 5000).length > 100, "the old half keeps its share");
  for (const step of spikes) assert.equal(rows.loss[steps.indexOf(step)], 1e6 + step);
  assert.ok(rows.norms[1][steps.indexOf(4444)] > 1e9);
});

test("rows never change, whatever is made of them afterwards", () => {
  const one = append(createChartRows(4, 16), 0, 6);
  const taken = structuredClone({ ...one, steps: stepsOf(one), loss: [...one.loss.slice(0, 6)] });
  const longer = append(one, 6, 3); // writes behind the rows of `one`, into the same arrays
  const other = append(one, 6, 1); // a second value from the same rows: gets arrays of its own
  const again = append(one, 2, 2); // steps trained again
  let full = longer;
  for (let first = 9; first < 60; first++) full = append(full, first, 1); // thins several times
  assert.deepEqual(stepsOf(one), taken.steps);
  assert.deepEqual([...one.loss.slice(0, 6)], taken.loss);
  assert.deepEqual(stepsOf(longer), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(stepsOf(other), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(stepsOf(again), [0, 1, 2, 3]);
  assert.equal(longer.steps, one.steps, "adding rows copies nothing");
  assert.notEqual(other.steps, one.steps);
});

test("rows that are full are thinned to half", () => {
  let rows = createChartRows(4, 480);
  rows = append(rows, 0, 480);
  rows = append(rows, 480, 1);
  assert.ok(rows.length <= 241);
  assert.equal(rows.steps[0], 0);
});

test("the past fills what was missed, and what came since stays behind it", () => {
  let live = createChartRows(4);
  live = append(live, 3, 1);
  live = append(live, 50, 3);
  const [loss, validation, first] = seriesNames(layout);
  const past = [
    { name: loss, steps: [0, 10, 51], values: [null, 9, 8] },
    { name: validation, steps: [0, 20], values: ["nan", "inf"] },
    { name: first, steps: [10], values: [4] },
  ];
  const joined = joinPast(live, layout, /** @type {any} */ (past));
  assert.deepEqual(stepsOf(joined), [0, 10, 20, 51, 52]);
  assert.deepEqual([...joined.loss.subarray(0, 5)], [NaN, 9, NaN, 8, Math.fround(100 / 53)]);
  assert.equal(joined.validation[2], Infinity);
  assert.equal(joined.norms[0][1], 4);
});

test("missed records stand in their places, only the wanted ones, every line of them", () => {
  let live = createChartRows(4);
  live = append(live, 0, 3);
  live = append(live, 8, 2);
  const chunks = [
    { first: 2, values: decodeFrame(frame({ first: 2, count: 3 }), layout).values },
    { first: 5, values: decodeFrame(frame({ first: 5, count: 6 }), layout).values },
  ];
  const whole = insertRecords(live, layout, chunks, { from: 3, to: 7 });
  let straight = createChartRows(4);
  straight = append(straight, 0, 10);
  assert.deepEqual(stepsOf(whole), stepsOf(straight));
  assert.deepEqual(whole.loss.subarray(0, 10), straight.loss.subarray(0, 10));
  assert.deepEqual(whole.norms, straight.norms);
  const part = insertRecords(live, layout, chunks, { from: 3, to: 4 });
  assert.deepEqual(stepsOf(part), [0, 1, 2, 3, 4, 8, 9]);
});

test("a thinned range leaves what was seen live as it is", () => {
  let live = createChartRows(4);
  live = append(live, 0, 2);
  live = append(live, 100, 2);
  const [loss, , norms] = seriesNames(layout);
  const series = /** @type {any} */ ([
    { name: loss, steps: [1, 40, 100], values: [7, 8, 9] },
    { name: norms, steps: [60, 100], values: [6, 5] },
  ]);
  const joined = insertSeries(live, layout, series, { from: 2, to: 99 });
  assert.deepEqual(stepsOf(joined), [0, 1, 40, 60, 100, 101]);
  assert.equal(joined.loss[4], Math.fround(100 / 101));
  assert.equal(joined.validation[1], 1);
});
