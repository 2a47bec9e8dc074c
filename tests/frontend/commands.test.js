import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../frontend/api.js";
import { createSend, permitted, toggle } from "../../frontend/commands.js";
import { handlerOf } from "../../frontend/keys.js";
import { createStore } from "../../frontend/store.js";
import { run } from "./frames.js";

/** @param {any} changes @param {(id: string, command: any) => Promise<any>} command */
function open(changes, command) {
  const store = createStore(() => {});
  store.dispatch({ type: "hello", run: run(changes), layout: null });
  return { store, send: createSend(store, { command }) };
}

test("one command at a time, but Pause and a turned knob always go through", async () => {
  /** @type {string[]} */
  const sent = [];
  /** @type {(() => void)[]} */
  const finish = [];
  const { store, send } = open(
    {},
    (_, { kind }) =>
      new Promise((resolve) => {
        sent.push(kind);
        finish.push(() => resolve({}));
      }),
  );
  const first = send({ kind: "step", count: 1 });
  assert.equal(store.state.busy, "step");
  assert.equal(await send({ kind: "step", count: 1 }), false);
  const pause = send({ kind: "pause" });
  const tune = send({ kind: "tune", lr: 0.1 });
  finish.forEach((one) => one());
  assert.deepEqual(
    [await first, await pause, await tune, sent, store.state.busy],
    [true, true, true, ["step", "pause", "tune"], null],
  );
});

test("a refusal is shown with the server's own words", async () => {
  const problem = {
    type: "about:blank",
    title: "Forbidden now",
    status: 409,
    detail: "the run is finished",
  };
  const { store, send } = open({}, async () => Promise.reject(new Refusal(problem)));
  assert.equal(await send({ kind: "play" }), false);
  assert.deepEqual(store.state.problem, problem);
});

test("Train and Pause are one button, by the state", async () => {
  /** @type {string[]} */
  const sent = [];
  const kinds = [];
  for (const state of ["paused", "running", "interrupted", "finished", "failed"]) {
    const { store, send } = open({ state }, async (_, { kind }) => sent.push(kind));
    kinds.push(await toggle(store, send));
  }
  assert.deepEqual(sent, ["play", "pause", "play"]);
  assert.deepEqual(kinds, [true, true, true, false, false]);
});

test("what the server allows is permitted, and nothing else", () => {
  assert.deepEqual(permitted(run({ state: "running", allowed: ["play", "pause", "tune"] })), {
    play: false,
    pause: true,
    step: false,
    phase: false,
    tune: true,
  });
  assert.equal(permitted(null).play, false);
  assert.ok(Object.values(permitted(run({ state: "finished" }))).every((may) => !may));
  assert.equal(permitted(run({ state: "running" })).step, false);
});

const key = (/** @type {string} */ name, more = {}) => ({
  key: name,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  defaultPrevented: false,
  ...more,
});
const focusOn = (/** @type {string} */ kind) => ({
  matches: (/** @type {string} */ selector) => selector.split(", ").includes(kind),
});

test("keys mean the same everywhere", () => {
  assert.deepEqual(
    [" ", "ArrowRight", ".", "?", "Escape", "x"].map((name) => handlerOf(key(name), null)),
    ["toggleTraining", "nextStep", "phase", "help", "escape", null],
  );
  assert.deepEqual(
    ["ArrowLeft", "ArrowRight", "ArrowUp", "P", "?", "<", ">"].map((name) =>
      handlerOf(key(name, { shiftKey: true }), null),
    ),
    ["back10", "forward10", "forward100", "playBackward", "help", "slower", "faster"],
  );
  assert.deepEqual(
    ["ArrowLeft", "Home", "End", "l", "p", "ArrowUp"].map((name) => handlerOf(key(name), null)),
    ["previousStep", "firstStep", "live", "live", "playForward", null],
  );
});

test("keys are never taken from who is typing, from shortcuts, or from a button's Space", () => {
  for (const kind of ["input", "textarea", "select"])
    assert.equal(handlerOf(key("."), focusOn(kind)), null);
  assert.equal(handlerOf(key(" "), focusOn("button")), null);
  assert.equal(handlerOf(key("ArrowRight"), focusOn("button")), "nextStep");
  assert.equal(handlerOf(key(".", { ctrlKey: true }), null), null);
  assert.equal(handlerOf(key("ArrowRight", { defaultPrevented: true }), null), null);
});
