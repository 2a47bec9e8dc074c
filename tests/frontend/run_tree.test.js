import assert from "node:assert/strict";
import { test } from "node:test";
import { divergenceText, treeOf } from "../../frontend/compare/run_tree.js";
import { changesOf, startOf } from "../../frontend/views/branch.js";
import { run } from "./frames.js";

const child = (/** @type {string} */ id, /** @type {string|null} */ parent) =>
  run({ id, name: id, parent: parent === null ? null : { run: parent, step: 3 } });

test("runs stand below the run that they continue; a deleted parent is left out", () => {
  const runs = [
    child("d", "b"),
    child("c", "gone"),
    child("b", "a"),
    child("e", "a"),
    child("a", null),
  ];
  assert.deepEqual(
    treeOf(runs).map(({ run: one, depth }) => `${depth}${one.id}`),
    ["0c", "0a", "1b", "2d", "1e"],
  );
});

test("a sentence says where two runs differ, for every answer", () => {
  const none = {
    comparable: true,
    first: 10,
    last: 90,
    step: null,
    parameter: null,
    difference: null,
  };
  const words = (/** @type {any} */ more) => divergenceText("x", "y", { ...none, ...more });
  assert.match(words({}), /the same, bit for bit, from step 10 to step 90\.$/);
  assert.match(words({ last: 10 }), /at step 10, the only one that both have/);
  assert.match(
    words({ step: 41, parameter: "w[3]", difference: 0.25 }),
    /up to step 40\. At step 41 they differ: w\[3\] differs most, by 0\.25/,
  );
  assert.match(
    words({ step: 10, parameter: "w[3]", difference: "inf" }),
    /differ at step 10, the first that both have: w\[3\] differs most, by inf/,
  );
  assert.match(words({ comparable: false }), /different shapes/);
  assert.match(words({ comparable: false, first: null, last: null }), /no step in common/);
});

const fields = /** @type {any[]} */ (
  ["name", "seed", "data_seed", "optimizer", "pace", "max_steps"].map((name) => ({ name }))
);

test("a form that is sent as it was filled in changes nothing", () => {
  const start = startOf(run({ lr: 0.10000000149011612 }), 40);
  assert.deepEqual(
    [start.name, start.max_steps, start.optimizer.lr, start.pace],
    ["r from 40", 100, 0.1, 60],
  );
  assert.deepEqual(changesOf({ ...start }, start, fields), {});
  assert.equal(startOf(run(), 100).max_steps, 200, "a finished run trains as long again");
});

test("only changes are sent: changed arguments of the same optimizer, all of another", () => {
  const start = startOf(run(), 40);
  const sent = (/** @type {any} */ more) => changesOf({ ...start, ...more }, start, fields);
  assert.deepEqual(sent({ seed: 7, data_seed: null }), { seed: 7 });
  assert.deepEqual(sent({ optimizer: { ...start.optimizer, lr: 0.5 } }), {
    optimizer: { lr: 0.5 },
  });
  const adam = { kind: "adam", lr: 0.1, betas: [0.9, 0.999] };
  assert.deepEqual(sent({ optimizer: adam }), { optimizer: adam });
});
