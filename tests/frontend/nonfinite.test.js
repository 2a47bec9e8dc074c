import assert from "node:assert/strict";
import { test } from "node:test";
import { createStore } from "../../frontend/store.js";
import { decodeFrame, layoutOf } from "../../frontend/stream/protocol.js";
import { noticeOf } from "../../frontend/texts.js";
import { createNonfiniteFinder, firstIn, placeOf } from "../../frontend/time/nonfinite.js";
import { columns, FLOATS, frame, run } from "./frames.js";

const layout = /** @type {import("../../frontend/types.js").Layout} */ (
  layoutOf(columns(), FLOATS * 4)
);
const { value, gradient } = layout.parameters[2];

/** The record of a step, with some numbers that are not finite. */
const record = (/** @type {number} */ step, /** @type {Record<number, number>} */ broken = {}) => {
  const { values } = decodeFrame(frame({ first: step }), layout);
  for (const [at, number] of Object.entries(broken)) values[Number(at)] = number;
  return { first: step, values };
};

test("the first number that is not finite is found in the order of a step", () => {
  const find = (/** @type {any[]} */ ...chunks) => firstIn(chunks, layout, null).nonfinite;
  const name = "output_linear.weight[0, 1]";
  assert.deepEqual(find(record(4), record(5, { 0: Infinity, [gradient + 1]: NaN })), {
    ...{ step: 5, role: "loss", name: "loss", value: Infinity, finite: 4 },
  });
  assert.deepEqual(find(record(4), record(5, { [gradient + 1]: NaN, [value]: NaN })), {
    ...{ step: 5, role: "gradient", name, value: NaN, finite: 4 },
  });
  assert.deepEqual(find(record(1, { [value + 1]: -Infinity })), {
    ...{ step: 1, role: "value", name, value: -Infinity, finite: null },
  });
  assert.equal(find(record(0, { 0: NaN }), record(1)), null, "step 0 has no loss");
});

test("the charts say where to look, one step before the last finite loss", () => {
  const rows = (/** @type {number[]} */ ...loss) => ({
    ...{ steps: Float64Array.from(loss, (_, i) => 10 * i), loss: Float64Array.from(loss) },
    ...{ validation: Float64Array.from(loss), norms: [], length: loss.length, shared: { used: 0 } },
  });
  assert.deepEqual(placeOf(rows(NaN, 3, 9, NaN, 1), 0, 40), { from: 19, to: 30 });
  assert.deepEqual(placeOf(rows(NaN, 3, 9), 0, 25), { from: 19, to: 25 });
  assert.deepEqual(placeOf(rows(NaN, Infinity), 0, 10), { from: 0, to: 10 });
});

test("the notice says the step and the number, and offers to continue before it", async () => {
  /** @type {{follow: () => void}|null} */
  let finder = null;
  const store = createStore(() => finder?.follow());
  const records = async (/** @type {number} */ from, /** @type {number} */ to) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i).map((step) =>
      record(step, step >= 22 ? { 0: Infinity } : {}),
    );
  finder = createNonfiniteFinder({ store, sourceOf: () => ({ records }), setTimer: () => {} });
  store.dispatch({ type: "open", id: "a" });
  store.dispatch({ type: "hello", run: run({ step: 21, state: "running" }), layout });
  const broken = frame({ first: 22 });
  new DataView(broken).setFloat32(32, Infinity, true);
  store.dispatch({ type: "frame", frame: decodeFrame(broken, layout) });
  assert.match(noticeOf(store.state)?.text ?? "", /being looked for/);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const notice = noticeOf(store.state);
  assert.equal(notice?.title, "Diverged: the loss is inf");
  assert.match(notice?.text ?? "", /first number .* came up in step 22: the loss is inf\./);
  assert.equal(notice?.label, "Continue from step 21, try lr 2.2");
  assert.equal(notice?.more?.label, "Start again, try lr 2.2");
  assert.doesNotMatch(notice?.text ?? "", /overflow|too long/);
});
