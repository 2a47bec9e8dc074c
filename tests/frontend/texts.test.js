import assert from "node:assert/strict";
import { test } from "node:test";
import { initialState } from "../../frontend/store.js";
import { layoutOf } from "../../frontend/stream/protocol.js";
import {
  configText,
  disagreement,
  gentlerRate,
  noticeOf,
  phaseSentence,
  plain,
  stateText,
} from "../../frontend/texts.js";
import { columns, FLOATS, run } from "./frames.js";

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

test("the first zero_grad clears nothing, a later one the last gradients", () => {
  const say = (/** @type {number} */ step, /** @type {Phase} */ phase) =>
    phaseSentence(state({ step, phase, ...grad("none") }));
  assert.match(say(0, "zero_grad"), /nothing to clear.*until the first `backward/);
  assert.match(say(0, "forward"), /there is no gradient yet/);
  assert.match(say(3, "zero_grad"), /is None again: the last gradients are gone/);
  assert.match(say(3, "forward"), /`zero_grad\(\)` of this step cleared it/);
});

test("a branch that has not trained does not credit its optimizer with its parent's update", () => {
  const config = { ...run().config, optimizer: { kind: "adam", lr: 0.01 } };
  const changes = { step: 40, first_step: 40, parent: { run: "p", step: 40 }, config };
  const branch = state({ ...changes, ...grad("fresh") });
  const text = phaseSentence({ ...branch, runs: [{ ...run(), id: "p", name: "by SGD" }] });
  assert.match(text, /begins with the numbers of step 40 of “by SGD”/);
  assert.match(text, /Update 40 and `\.grad` are that run's; the first update by Adam here is 41/);
  assert.match(phaseSentence(branch), /of a run that was deleted/);
  assert.doesNotMatch(text, /moved/);
});

test("only when every number moved is every parameter said to have moved", () => {
  const layout = /** @type {any} */ (layoutOf(columns(), FLOATS * 4));
  const before = new Float32Array(FLOATS).fill(1);
  const say = (/** @type {number[]} */ still) => {
    const values = before.map((one, i) => (still.includes(i) ? one : one + 1));
    for (const i of still) values[layout.parameters[0].gradient + i - 3] = 0;
    const made = state({ step: 3, ...grad("fresh") }, { layout });
    return phaseSentence({
      ...made,
      moment: { .../** @type {any} */ (made.moment), values, before },
    });
  };
  assert.match(say([]), /SGD moved every parameter against the running sum/);
  assert.match(say([3, 5]), /SGD moved 5 of the 7 parameters .* 2 of the 7 gradients are 0/);
  assert.match(phaseSentence(state({ step: 3, ...grad("fresh") })), /SGD moved the parameters/);
  const broken = state({ step: 3, ...grad("fresh") }, { layout });
  const moment = { .../** @type {any} */ (broken.moment), values: before.map(() => NaN), before };
  const text = phaseSentence({ ...broken, moment });
  assert.match(text, /Update 3 is done: after it, 7 of the 7 parameters are not finite/);
});

test("a loop without zero_grad is described as it is", () => {
  const running = { state: /** @type {const} */ ("running"), step: 3 };
  const without = { ...running, config: { ...run().config, zero_grad: false } };
  assert.match(phaseSentence(state(running)), /five phases/);
  assert.match(phaseSentence(state(without)), /four phases/);

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
