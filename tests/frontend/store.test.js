import assert from "node:assert/strict";
import { test } from "node:test";
import { createStore, initialState, reduce } from "../../frontend/store.js";
import { decodeFrame, layoutOf } from "../../frontend/stream/protocol.js";
import { columns, FLOATS, frame, run } from "./frames.js";

/** @import { Action, State } from "../../frontend/types.js" */

const layout = layoutOf(columns(), FLOATS * 4);

/** @param {Action[]} actions @param {State} [from] */
function after(actions, from = initialState()) {
  return actions.reduce(reduce, from);
}

/** @param {Parameters<typeof frame>[0]} of @returns {Action} */
const framed = (of) => ({ type: "frame", frame: decodeFrame(frame(of), layout) });
const hello = (changes = {}) => ({ type: "hello", run: run(changes), layout });

test("record 0 shows the initial parameters, no gradient and no loss", () => {
  const state = after([hello(), framed({ first: 0 })]);
  assert.equal(state.moment?.step, 0);
  assert.deepEqual(state.moment?.gradStates, ["none", "none", "none", "none"]);
  assert.equal(state.moment?.before, null);
  assert.equal(state.run?.loss, null);
  assert.equal(state.diverged, false);
});

test("a record moves the run on and remembers the one before it, for the change", () => {
  const state = after([hello(), framed({ first: 0 }), framed({ first: 1 })]);
  assert.equal(state.run?.step, 1);
  assert.equal(state.run?.loss, 50);
  assert.equal(state.moment?.before?.[3], 0);
  assert.deepEqual(state.moment?.gradStates, ["fresh", "fresh", "fresh", "fresh"]);
});

test("in a frame of many the one before is in the frame", () => {
  const state = after([hello(), framed({ first: 5, count: 4 })]);
  assert.equal(state.moment?.step, 8);
  assert.equal(state.moment?.before?.[3], 7);
  assert.equal(state.rows?.length, 4);
});

test("after skipped steps the one before is unknown until it is fetched", () => {
  const gap = after([hello(), framed({ first: 0 }), framed({ first: 9, skipped: 8 })]);
  assert.equal(gap.moment?.before, null);
  const fetched = reduce(gap, { type: "recordBefore", step: 8, values: new Float32Array([8]) });
  assert.equal(fetched.moment?.before?.[0], 8);
  const late = reduce(gap, { type: "recordBefore", step: 7, values: new Float32Array([7]) });
  assert.equal(late.moment?.before, null);
});

test("a half-done iteration is shown over the last record, whichever message comes first", () => {
  const settled = after([hello({ step: 1 }), framed({ first: 0 }), framed({ first: 1 })]);
  const event = {
    type: "state",
    run: run({ step: 1, phase: "backward", grad_states: ["fresh", "fresh", "fresh", "fresh"] }),
  };
  const phase = framed({ first: 1, kind: 2 });
  for (const order of [
    [event, phase],
    [phase, event],
  ]) {
    const state = after(order, settled);
    assert.equal(state.moment?.phase, "backward");
    assert.equal(state.moment?.before?.[3], 0, "Δ stays that of the last update");
    assert.equal(state.settled?.phase, "step");
  }
});

test("the next record supersedes the inside of an iteration", () => {
  const inside = after([
    hello({ step: 1 }),
    framed({ first: 1 }),
    { type: "state", run: run({ step: 1, phase: "loss" }) },
    framed({ first: 1, kind: 2 }),
  ]);
  const state = reduce(inside, framed({ first: 2 }));
  assert.equal(state.moment?.phase, "step");
  assert.equal(state.moment?.before?.[3], 1);
  assert.equal(state.run?.phase, "step");
});

test("the same record sent again after a reconnect does not hide a half-done iteration", () => {
  const event = { type: "state", run: run({ step: 1, phase: "forward" }) };
  const inside = after([
    hello({ step: 1 }),
    framed({ first: 1 }),
    event,
    framed({ first: 1, kind: 2 }),
  ]);
  assert.equal(reduce(inside, framed({ first: 1 })).moment?.phase, "forward");
});

test("grad_states tells a stale gradient from a fresh one", () => {
  const stale = ["stale", "stale", "stale", "stale"];
  const state = after([
    hello({ step: 1 }),
    framed({ first: 1 }),
    {
      type: "state",
      run: run({ step: 1, phase: "forward", grad_states: /** @type {any} */ (stale) }),
    },
  ]);
  assert.deepEqual(state.moment?.gradStates, stale);
});

test("a record says which of its gradients are None, by the bits of their NaN", () => {
  const buffer = frame({ first: 4 });
  const bits = new Uint32Array(buffer, 32);
  const [first, second] = layout?.parameters ?? [];
  bits.fill(0x7fc06e6f, first.gradient, first.gradient + first.size);
  bits.fill(0x7fc00000, second.gradient, second.gradient + second.size); // 0 / 0, say
  const state = after([hello(), { type: "frame", frame: decodeFrame(buffer, layout) }]);
  assert.deepEqual(state.moment?.gradStates, ["none", "fresh", "fresh", "fresh"]);
});

test("NaN or infinity in the loss or a parameter is a divergence, but not at step 0", () => {
  const nan = frame({ first: 2 });
  new Float32Array(nan, 32)[5] = NaN;
  const state = after([
    hello(),
    framed({ first: 1 }),
    { type: "frame", frame: decodeFrame(nan, layout) },
  ]);
  assert.equal(state.diverged, true);
  assert.equal(reduce(state, framed({ first: 3 })).diverged, false);
});

test("speed is measured by the trainer's clock, at any pace", () => {
  const fast = after([
    hello({ state: "running" }),
    framed({ first: 0, time: 10 }),
    framed({ first: 500, time: 10.5 }),
  ]);
  assert.equal(fast.stepsPerSec, 1000);
  const slow = after([
    hello({ state: "running" }),
    framed({ first: 0, time: 10 }),
    framed({ first: 1, time: 12 }),
  ]);
  assert.equal(slow.stepsPerSec, 0.5);
  assert.equal(reduce(slow, { type: "state", run: run({ step: 1 }) }).stepsPerSec, 0);
});

test("the cursor's target goes before the pinned one; a second click frees it", () => {
  const one = { kind: "parameter", parameter: 0, index: 1 };
  const other = { kind: "output" };
  const pinned = after([
    { type: "pin", target: one },
    { type: "target", target: other },
  ]);
  assert.deepEqual([pinned.target, pinned.pin], [other, one]);
  assert.deepEqual(reduce(pinned, { type: "target", target: null }).target, one);
  assert.equal(
    after(
      [
        { type: "pin", target: { ...one } },
        { type: "target", target: null },
      ],
      pinned,
    ).target,
    null,
  );
});

test("another run begins with a blank page, but keeps the list", () => {
  const state = after([
    { type: "runs", runs: [run()] },
    hello(),
    framed({ first: 1 }),
    { type: "open", id: "b" },
  ]);
  assert.deepEqual(
    [state.run, state.moment, state.rows, state.opened, state.runs.length],
    [null, null, null, "b", 1],
  );
});

test("a reconnect to the same run keeps its rows", () => {
  const state = after([
    hello(),
    framed({ first: 1, count: 5 }),
    { type: "connection", connection: "lost" },
    hello({ step: 5 }),
  ]);
  assert.equal(state.connection, "open");
  assert.equal(state.rows?.length, 5);
});

test("reduce leaves the state that it was given as it was", () => {
  const actions = /** @type {Action[]} */ ([
    framed({ first: 3, count: 4 }),
    framed({ first: 2, kind: 2 }),
    { type: "state", run: run({ step: 2, phase: "loss" }) },
    { type: "recordBefore", step: 1, values: new Float32Array(FLOATS) },
    { type: "pastSeries", series: [{ name: "loss", steps: [0, 1], values: [9, 8] }] },
    { type: "visit", step: 1 },
    { type: "playback", direction: -1 },
    { type: "news", title: "restarted", detail: "x" },
    { type: "overlay", id: "b", isShown: true },
    { type: "pin", target: { kind: "output" } },
    { type: "open", id: "b" },
  ]);
  const state = after([hello({ state: "running" }), framed({ first: 0 }), framed({ first: 2 })]);
  const rows = () => [...(state.rows?.steps.subarray(0, state.rows.length) ?? [])];
  const copy = structuredClone({ ...state, rows: rows() });
  for (const action of actions) {
    reduce(state, action);
    reduce(state, action);
    assert.deepEqual({ ...state, rows: rows() }, copy, action.type);
  }
});

test("a dispatch invalidates; what a person does hurries, what the stream brings does not", () => {
  /** @type {boolean[]} */
  const hurried = [];
  const store = createStore((hurry) => hurried.push(hurry));
  store.dispatch(hello());
  store.dispatch(framed({ first: 1 }));
  assert.deepEqual(hurried, [true, false]);
  assert.throws(() => store.dispatch({ type: "nonsense" }), /unknown action/);
});
