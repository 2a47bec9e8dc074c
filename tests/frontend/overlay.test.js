import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_OVERLAYS } from "../../frontend/compare/overlay.js";
import { valueAt, withOverlays } from "../../frontend/compare/overlay_series.js";
import { initialState, reduce } from "../../frontend/store.js";

const series = { name: "loss", steps: [40, 50, 60], values: /** @type {any[]} */ ([4, "inf", 2]) };

test("lines of several runs share one axis; where one has no step there is NaN", () => {
  const rows = withOverlays({ steps: [0, 50, 99], lines: [[9, 8, 7]], length: 2 }, [series]);
  assert.deepEqual(rows.steps, [0, 40, 50, 60]);
  assert.deepEqual(
    rows.lines.map((line) => [...Array.from(line)]),
    [
      [9, NaN, 8, NaN],
      [NaN, 4, Infinity, 2],
    ],
  );
});

test("a run has no value before its first step and after its last", () => {
  assert.deepEqual(
    [39, 40, 55, 60, 61].map((step) => valueAt(series, step)),
    [NaN, 4, Infinity, 2, NaN],
  );
});

test("overlays stay when another run is opened; an opened overlay changes places with it", () => {
  let state = reduce(initialState(), { type: "open", id: "a" });
  for (const id of ["a", "b", "c"]) state = reduce(state, { type: "overlay", id, isShown: true });
  assert.deepEqual(state.overlaid, ["b", "c"], "a run is not laid over itself");
  assert.deepEqual(reduce(state, { type: "open", id: "b" }).overlaid, ["a", "c"]);
  assert.deepEqual(reduce(state, { type: "open", id: "d" }).overlaid, ["b", "c"]);
  assert.deepEqual(reduce(state, { type: "overlay", id: "b", isShown: false }).overlaid, ["c"]);
});

test("no more runs are overlaid than a person can tell apart", () => {
  let state = reduce(initialState(), { type: "open", id: "a" });
  for (const id of ["b", "c", "d", "e", "f"])
    state = reduce(state, { type: "overlay", id, isShown: true });
  assert.equal(state.overlaid.length, MAX_OVERLAYS);
});

test("a run that is no longer in the list of runs is not laid over the charts", () => {
  let state = reduce(initialState(), { type: "open", id: "a" });
  for (const id of ["b", "c"]) state = reduce(state, { type: "overlay", id, isShown: true });
  const runs = /** @type {any[]} */ ([{ id: "a" }, { id: "c" }]);
  assert.deepEqual(reduce(state, { type: "runs", runs }).overlaid, ["c"]);
});
