import assert from "node:assert/strict";
import { test } from "node:test";
import { initialState } from "../../frontend/store.js";
import {
  configText,
  disagreement,
  gentlerRate,
  noticeOf,
  phaseSentence,
  plain,
  stateText,
} from "../../frontend/texts.js";
import { run } from "./frames.js";

/** @import { Phase, State } from "../../frontend/types.js" */

/** @param {any} changes of the run @param {Partial<State>} [more] @returns {State} */
function state(changes, more = {}) {
  const one = run(changes);
  const gradStates = one.grad_states;
  const moment = {
    step: one.step,
    phase: one.phase,
    values: new Float32Array(),
    gradStates,
    before: null,
  };
  return {
    ...initialState(),
    connection: "open",
    loaded: true,
    opened: "a",
    run: one,
    runs: [one],
    moment,
    ...more,
  };
}

const grad = (/** @type {string} */ kind) => ({ grad_states: [kind, kind, kind, kind] });

test("a configuration is one line", () => {
  assert.equal(
    configText(run().config, Math.fround(0.1)),
    "temperature · 1–2–1 tanh · SGD, lr 0.1, momentum 0.9 · full batch",
  );
});

test("a float32 is written as a person would have typed it", () => {
  assert.deepEqual(
    [0.03, 0.001, 1e-7, 5].map((value) => plain(Math.fround(value))),
    ["0.03", "0.001", "1e-7", "5"],
  );
});

test("the state's text names half-done iterations and divergence", () => {
  assert.equal(stateText(state({})).text, "paused");
  assert.equal(stateText(state({ step: 240, phase: "backward" })).text, "paused in step 241");
  assert.equal(stateText(state({ state: "running" })).text, "training");
  assert.equal(
    stateText(state({ state: "running" }, { diverged: true })).text,
    "running, diverged",
  );
  assert.equal(stateText(state({}, { connection: "lost" })).text, "connection lost");
});

test("each phase has a sentence that is true of .grad", () => {
  const say = (/** @type {Phase} */ phase, /** @type {any} */ changes = {}) =>
    phaseSentence(state({ step: 3, phase, ...changes }));
  assert.match(phaseSentence(state({})), /Nothing has run yet.*None/);
  assert.match(say("zero_grad", grad("none")), /is None again/);
  assert.match(say("forward", grad("none")), /is None/);
  assert.match(say("forward", grad("stale")), /stale/);
  assert.match(say("loss", { loss: 2.31, ...grad("none") }), /2\.31/);
  assert.match(
    say("backward", grad("fresh")),
    /how the loss changes.*No parameter has changed yet/,
  );
  assert.match(say("step", grad("fresh")), /Update 3 is done/);
});

test("a loop without zero_grad is described as it is", () => {
  const config = { ...run().config, zero_grad: false };
  assert.match(
    phaseSentence(state({ step: 3, phase: "zero_grad", config, ...grad("fresh") })),
    /does not call/,
  );
  assert.match(
    phaseSentence(state({ step: 3, phase: "backward", config, ...grad("fresh") })),
    /added to what was there/,
  );
});

test("plain SGD alone is said to move by −lr × .grad", () => {
  const sentence = (/** @type {any} */ optimizer) =>
    phaseSentence(state({ step: 3, phase: "step", config: { ...run().config, optimizer } }));
  assert.match(sentence({ kind: "sgd", lr: 0.1 }), /by −lr × /);
  for (const optimizer of [
    { kind: "sgd", momentum: 0.9 },
    { kind: "adam" },
    { kind: "adamw", weight_decay: 0.01 },
  ]) {
    assert.doesNotMatch(sentence(optimizer), /by −lr × /);
  }
});

test("a change against the gradient needs no reason; one along it names the optimizer's", () => {
  const config = (/** @type {any} */ optimizer) => ({ ...run().config, optimizer });
  assert.equal(disagreement(config({ kind: "adam" }), 1, -0.01), "");
  assert.equal(disagreement(config({ kind: "adam" }), 0, 0), "");
  assert.match(disagreement(config({ kind: "adam" }), 1, 0.01), /exp_avg/);
  assert.match(disagreement(config({ kind: "sgd", momentum: 0.9 }), -1, -0.01), /momentum_buffer/);
  assert.match(disagreement(config({ kind: "sgd", weight_decay: 0.1 }), 1, 0.01), /weight decay/);
});

test("every state that needs a word has a notice, and ordinary training has none", () => {
  const title = (/** @type {State} */ of) => noticeOf(of)?.title ?? "";
  assert.match(title(state({})), /before its first step/);
  assert.equal(noticeOf(state({ state: "running", step: 4 })), null);
  assert.equal(noticeOf(state({ step: 4 })), null);
  assert.match(title(state({ state: "starting" }, { torch: "loading" })), /Starting PyTorch/);
  assert.match(title(state({ state: "finished", step: 100, loss: 2 })), /Finished: 100 steps/);
  assert.match(title(state({ state: "interrupted", step: 7 })), /Interrupted after step 7/);
  assert.match(
    noticeOf(state({ state: "failed", reason: "killed by signal 9" }))?.text ?? "",
    /signal 9/,
  );
  assert.match(
    title(state({ step: 9, loss: "inf" }, { diverged: true })),
    /Diverged: the loss is inf/,
  );
  assert.match(title(state({}, { connection: "lost" })), /Connection lost/);
  const signedOut = { connection: /** @type {const} */ ("signed-out") };
  assert.equal(noticeOf(state({}, signedOut))?.act, "signIn");
  assert.equal(stateText(state({}, signedOut)).text, "signed out");
  assert.match(title(state({}, { missing: "x" })), /does not exist/);
  assert.match(title({ ...initialState(), loaded: true }), /No runs yet/);
  assert.match(title(initialState()), /Connecting/);
});

test("after a divergence a tenth of the rate is offered", () => {
  assert.equal(gentlerRate(run({ lr: Math.fround(0.5) })), 0.05);
});
