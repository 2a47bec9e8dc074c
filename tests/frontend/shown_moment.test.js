import assert from "node:assert/strict";
import { test } from "node:test";
import { createStore, initialState, reduce } from "../../frontend/store.js";
import { decodeFrame, decodeFrames, layoutOf } from "../../frontend/stream/protocol.js";
import { noticeOf } from "../../frontend/texts.js";
import { otherSpeed, playbackSpeed, shown } from "../../frontend/time/shown_moment.js";
import { createTimeCommands } from "../../frontend/time/time_commands.js";
import { outline, reach, thinned, thinnedText } from "../../frontend/views/timeline/silhouette.js";
import { columns, FLOATS, frame, run } from "./frames.js";

/** @import { Layout, State } from "../../frontend/types.js" */

const layout = /** @type {Layout} */ (layoutOf(columns(), FLOATS * 4));
const record = (/** @type {number} */ step) => decodeFrame(frame({ first: step }), layout).values;
const before = (/** @type {number} */ step) => (step > 0 ? record(step - 1) : null);
const arrival = (/** @type {number} */ step) => ({
  type: "visitedRecord",
  step,
  values: record(step),
  before: before(step),
});

/** A run that trains, 50 steps in. @param {any[]} actions @param {any} [changes] */
function after(actions, changes = {}) {
  const begun = [
    { type: "open", id: "a" },
    { type: "hello", run: run({ state: "running", step: 49, ...changes }), layout },
    { type: "frame", frame: decodeFrame(frame({ first: 50 }), layout) },
  ];
  return [...begun, ...actions].reduce(reduce, initialState());
}

test("a visited step shows its record in every card while the run goes on", () => {
  const visited = after([{ type: "visit", step: 20 }, arrival(20)]);
  const later = reduce(visited, {
    type: "frame",
    frame: decodeFrame(frame({ first: 51 }), layout),
  });
  for (const state of [visited, later]) {
    const card = shown(state);
    assert.deepEqual(
      [card.moment?.step, card.settled?.step, card.run?.step, card.run?.state],
      [20, 20, 20, "paused"],
    );
    assert.equal(card.run?.loss, Math.fround(100 / 21));
    assert.deepEqual([...(card.moment?.values ?? [])], [...record(20)]);
    assert.equal(card.moment?.before?.[5], 19);
  }
  assert.deepEqual([later.run?.step, later.moment?.step, later.rows?.length], [51, 51, 2]);
});

test("now is shown as it is, and the newest step is now", () => {
  const now = after([]);
  assert.equal(shown(now), now);
  assert.equal(after([{ type: "visit", step: 50 }]).visited, null);
  assert.equal(
    after([
      { type: "visit", step: 20 },
      { type: "visit", step: 9000 },
    ]).visited,
    null,
  );
  assert.equal(after([{ type: "visit", step: 20 }, arrival(20), { type: "live" }]).visited, null);
});

test("a look back goes no further than the run's first step, and never to no number", () => {
  assert.equal(after([{ type: "visit", step: -5 }]).visited?.step, 0);
  assert.equal(after([{ type: "visit", step: 3 }], { first_step: 10 }).visited?.step, 10);
  assert.equal(after([{ type: "visit", step: NaN }]).visited, null);
});

test("until a step is there the last picture stays; a step without gradients says so", () => {
  const state = after([
    { type: "visit", step: 20 },
    arrival(20),
    { type: "visit", step: 30, isMoving: true },
  ]);
  assert.deepEqual([state.visited?.step, shown(state).moment?.step], [30, 20]);
  const first = after([{ type: "visit", step: 0 }, arrival(0)]);
  assert.deepEqual([...new Set(shown(first).moment?.gradStates)], ["none"]);
  assert.equal(shown(first).run?.loss, null);
});

test("what was thinned out is told with what is there instead, for that step alone", () => {
  const state = after([
    { type: "visit", step: 20 },
    { type: "visitedThinned", step: 20, kept: [16, 32] },
  ]);
  assert.deepEqual(state.visited?.kept, [16, 32]);
  assert.equal(reduce(state, { type: "visit", step: 21 }).visited?.kept, null);
  assert.equal(
    after([
      { type: "visit", step: 21 },
      { type: "visitedThinned", step: 20, kept: [16] },
    ]).visited?.kept,
    null,
  );
});

test("playing back begins at now, playing on at the beginning; another run ends it", () => {
  const back = after([{ type: "playback", direction: -1 }]);
  assert.deepEqual([back.visited?.step, back.playback.direction], [49, -1]);
  const on = after([{ type: "playback", direction: 1 }]);
  assert.deepEqual([on.visited?.step, on.playback.direction], [0, 1]);
  assert.equal(reduce(on, { type: "visit", step: 50 }).playback.direction, 0);
  assert.equal(reduce(on, { type: "playback", direction: 0 }).visited?.isMoving, false);
  const other = reduce(on, { type: "open", id: "b" });
  assert.deepEqual([other.visited, other.playback.direction], [null, 0]);
});

test("speeds are round, and go up and down", () => {
  assert.equal(playbackSpeed(after([])), 2);
  assert.equal(playbackSpeed(after([{ type: "playback", speed: 37 }])), 37);
  const up = [1, 2, 5, 10, 20].map((speed) => otherSpeed(speed, 1));
  assert.deepEqual(up, [2, 5, 10, 20, 50]);
  assert.deepEqual(
    [50, 20, 10, 5, 2, 1].map((speed) => otherSpeed(speed, -1)),
    [20, 10, 5, 2, 1, 1],
  );
});

test("a held key stops at now instead of training on; pressed anew it trains", () => {
  const store = createStore(() => {});
  Object.assign(store, { state: after([{ type: "visit", step: 48 }]) });
  /** @type {string[]} */
  const sent = [];
  const timeCommands = createTimeCommands(store, async ({ kind }) => {
    sent.push(kind);
    return true;
  });
  for (let i = 0; i < 5; i++) timeCommands.nextStep(true);
  assert.deepEqual([store.state.visited, sent], [null, []]);
  timeCommands.keyReleased();
  timeCommands.nextStep(false);
  assert.deepEqual(sent, ["step"]);
});

test("a restart is news until it is dismissed, a failing log until it works again", () => {
  const news = (/** @type {string} */ title) => ({ type: "news", title, detail: title });
  const both = after([news("restarted"), news("log")]);
  assert.deepEqual(both.news, { restarted: "restarted", log: "log" });
  assert.deepEqual(reduce(both, { type: "dismissNews" }).news, { restarted: null, log: "log" });
  assert.deepEqual(reduce(both, news("log-again")).news, { restarted: "restarted", log: null });
});

test("an answer of several frames is as many chunks; a broken one is refused", () => {
  const bytes = Buffer.concat(
    [frame({ first: 3, count: 2 }), frame({ first: 9 })].map((one) => Buffer.from(one)),
  );
  const buffer = /** @type {ArrayBuffer} */ (
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
  );
  const chunks = decodeFrames(buffer, layout);
  assert.deepEqual(
    chunks.map(({ first, values }) => [first, values.length / FLOATS]),
    [
      [3, 2],
      [9, 1],
    ],
  );
  assert.deepEqual(decodeFrames(new ArrayBuffer(0), layout), []);
  assert.throws(() => decodeFrames(buffer.slice(0, buffer.byteLength - 4), layout));
  assert.throws(() => decodeFrames(buffer.slice(0, 20), layout));
});

test("the timeline reaches a little further than now, and to a round step", () => {
  assert.deepEqual(
    [0, 15, 130, 3124, 4999].map((step) => reach(0, step, 5000)),
    [20, 20, 150, 4000, 5000],
  );
  assert.equal(reach(1000, 1130, 5000), 1150);
  assert.equal(reach(0, 6000, 5000), 6000);
});

test("the silhouette keeps a spike of a single step", () => {
  const length = 2000;
  const steps = Float64Array.from({ length }, (_, i) => i);
  const loss = Float64Array.from({ length }, (_, i) => (i === 1234 ? 1000 : 1 + i / length));
  const path = outline({ steps, loss, validation: loss, norms: [], length }, 0, 2000);
  const highest = [...path.matchAll(/L([\d.]+) ([\d.]+)/g)].sort(
    (a, b) => Number(a[2]) - Number(b[2]),
  )[0];
  assert.ok(Math.abs(Number(highest[1]) - 617) <= 2, highest[0]);
});

test("what was thinned out lies between the stretches that are kept whole", () => {
  assert.deepEqual(thinned(null, 0), []);
  assert.deepEqual(thinned([[0, 900]], 0), []);
  assert.deepEqual(thinned([[500, 900]], 0), [[0, 500]]);
  assert.match(thinnedText(0, 22_272), /of steps 0 to 22,272, kept are 0, every 256th, 22,272,/);
  assert.deepEqual(
    thinned(
      [
        [10, 20],
        [500, 900],
      ],
      10,
    ),
    [[20, 500]],
  );
});

test("the log's news come before any notice but a failure; a restart's come last", () => {
  const news = (/** @type {string} */ title) => ({ type: "news", title, detail: "it broke" });
  const title = (/** @type {any[]} */ actions, /** @type {any} */ changes) =>
    noticeOf(after(actions, changes))?.title;
  assert.equal(title([news("restarted")], {}), "The trainer was restarted");
  assert.equal(title([news("restarted"), { type: "dismissNews" }], {}), undefined);
  assert.equal(title([news("restarted"), news("log")], {}), "The run log cannot be written");
  const interrupted = { type: "state", run: run({ state: "interrupted", step: 50 }) };
  assert.equal(title([news("restarted"), interrupted], {}), "Interrupted after step 50");
});
