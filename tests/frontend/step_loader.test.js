import assert from "node:assert/strict";
import { test } from "node:test";
import { createStore } from "../../frontend/store.js";
import { decodeFrame, layoutOf } from "../../frontend/stream/protocol.js";
import { createStepLoader } from "../../frontend/time/step_loader.js";
import { columns, FLOATS, frame, run } from "./frames.js";

const layout = /** @type {import("../../frontend/types.js").Layout} */ (
  layoutOf(columns(), FLOATS * 4)
);
const turns = async () => {
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve));
};

/**
 * A run of 500 steps, of which a source keeps what the test says.
 * @param {{keeps?: (step: number) => boolean}} [world]
 */
function timeCommands({ keeps = () => true } = {}) {
  /** @type {((now: number) => void)[]} */
  const frames = [];
  /** @type {(() => void)[]} */
  const timers = [];
  const fault = { isAway: false };
  /** @type {import("../../frontend/time/step_loader.js").StepLoader|null} */
  let stepLoader = null;
  const store = createStore(() => stepLoader?.follow());
  const source = {
    series: async () => [],
    exact: async () => /** @type {[number, number][]} */ ([[256, 500]]),
    nearest: async () => [128, 256],
    async records(/** @type {number} */ from, /** @type {number} */ to) {
      if (fault.isAway) throw new Error("away");
      const steps = Array.from({ length: to - from + 1 }, (_, i) => from + i).filter(keeps);
      return steps.map((first) => ({
        first,
        values: decodeFrame(frame({ first }), layout).values,
      }));
    },
  };
  stepLoader = createStepLoader({
    store,
    sourceOf: () => source,
    nextFrame: (callback) => frames.push(callback),
    setTimer: (callback) => timers.push(callback),
  });
  store.dispatch({ type: "open", id: "a" });
  store.dispatch({ type: "hello", run: run({ step: 500 }), layout });
  const shown = () => store.state.visited?.moment?.step;
  const draw = (/** @type {number} */ now) => frames.splice(0).forEach((callback) => callback(now));
  return {
    store,
    frames,
    timers,
    fault,
    shown,
    draw,
    visit: (/** @type {number} */ step) => store.dispatch({ type: "visit", step }),
  };
}

test("what is asked for is shown, and what is in the cache in the same instant", async () => {
  const { visit, shown, store } = timeCommands();
  visit(40);
  assert.equal(shown(), undefined);
  await turns();
  assert.equal(shown(), 40);
  visit(41);
  assert.equal(shown(), 41);
  assert.equal(store.state.visited?.moment?.before?.[5], 40);
});

test("the nearest step is shown until the exact one has come", async () => {
  const { visit, shown } = timeCommands();
  visit(40);
  await turns();
  for (const step of [300, 200, 100]) visit(step);
  assert.equal(shown(), 63, "the nearest in the cache");
  await turns();
  assert.equal(shown(), 100);
});

test("for a step that was thinned out the nearer of its kept neighbours is shown", async () => {
  const { visit, shown, store } = timeCommands({ keeps: (step) => step % 128 === 0 });
  visit(140);
  await turns();
  assert.deepEqual(
    [store.state.visited?.step, store.state.visited?.kept, shown()],
    [140, [128, 256], 128],
  );
  assert.deepEqual(store.state.exact, [[256, 500]]);
});

test("while the server is away one tries again, until now is looked at", async () => {
  const { visit, shown, store, timers, fault } = timeCommands();
  fault.isAway = true;
  visit(40);
  await turns();
  assert.equal(store.state.problem?.detail, "away");
  fault.isAway = false;
  timers.splice(0).forEach((callback) => callback());
  await turns();
  assert.equal(shown(), 40);
});

test("playback has the speed that was asked for, and stops at the first step", async () => {
  const { store, shown, draw } = timeCommands();
  store.dispatch({ type: "playback", direction: -1, speed: 1000 });
  await turns();
  for (let now = 0; now <= 200; now += 10) {
    draw(now);
    await turns();
  }
  assert.equal(shown(), 299);
  for (let now = 210; now <= 600; now += 10) {
    draw(now);
    await turns();
  }
  assert.deepEqual([shown(), store.state.playback.direction], [0, 0]);
});

test("playback waits for a step that takes long, but not forever", async () => {
  const { store, draw, fault } = timeCommands();
  fault.isAway = true;
  store.dispatch({ type: "playback", direction: 1, speed: 100 });
  draw(0);
  draw(100);
  assert.equal(store.state.visited?.step, 0, "it waits");
  draw(600);
  assert.equal(store.state.visited?.step, 60, "it goes past");
});
