import assert from "node:assert/strict";
import { test } from "node:test";

import { RovingFocus } from "../../frontend/views/network/roving_focus.js";

/** @import { Stop } from "../../frontend/views/network/roving_focus.js" */

/** A stop that notes what is done to it. @param {number} column @param {number} row */
function stopAt(column, row) {
  const node = {
    tabindex: "-1",
    focused: 0,
    setAttribute(/** @type {string} */ _, /** @type {string} */ value) {
      node.tabindex = value;
    },
    focus: () => void node.focused++,
  };
  const target = { kind: "parameter", parameter: column, index: row };
  return /** @type {Stop & {node: typeof node}} */ (/** @type {unknown} */ ({ target, node }));
}

/** Input, three edges, three units, output. */
function drawing() {
  const columns = [1, 3, 3, 1].map((rows, column) =>
    Array.from({ length: rows }, (_, row) => stopAt(column, row)),
  );
  return { columns, rovingFocus: new RovingFocus(columns) };
}

/** @param {RovingFocus} rovingFocus @param {string[]} keys */
function walk(rovingFocus, ...keys) {
  for (const key of keys) rovingFocus.press(key);
  const { target } = rovingFocus.stop;
  return target.kind === "parameter" ? [target.parameter, target.index] : [];
}

test("the drawing is one tab stop, wherever the keyboard is in it", () => {
  const { columns, rovingFocus } = drawing();
  for (const key of ["", "ArrowRight", "ArrowDown", "End", "ArrowRight", "ArrowRight"]) {
    rovingFocus.press(key);
    assert.equal(columns.flat().filter(({ node }) => node.tabindex === "0").length, 1, key);
  }
});

test("arrow keys walk along and across, and stop at the ends", () => {
  const { rovingFocus } = drawing();
  assert.deepEqual(walk(rovingFocus, "ArrowLeft"), [0, 0]);
  assert.deepEqual(walk(rovingFocus, "ArrowRight", "ArrowDown"), [1, 1]);
  assert.deepEqual(walk(rovingFocus, "ArrowRight", "End"), [2, 2]);
  assert.deepEqual(walk(rovingFocus, "ArrowDown"), [2, 2]);
  assert.deepEqual(walk(rovingFocus, "Home", "ArrowUp"), [2, 0]);
});

test("passing a column with one element keeps the row", () => {
  const { rovingFocus } = drawing();
  assert.deepEqual(walk(rovingFocus, "ArrowRight", "End", "ArrowRight", "ArrowRight"), [3, 0]);
  assert.deepEqual(walk(rovingFocus, "ArrowLeft"), [2, 2]);
});

test("where it goes is focused", () => {
  const { columns, rovingFocus } = drawing();
  rovingFocus.press("ArrowRight");
  assert.equal(columns[1][0].node.focused, 1);
});

test("other keys are left to the page", () => {
  const { rovingFocus } = drawing();
  assert.deepEqual(
    [" ", ".", "a", "Tab"].map((key) => rovingFocus.press(key)),
    [false, false, false, false],
  );
});

test("a click takes the tab stop along", () => {
  const { columns, rovingFocus } = drawing();
  rovingFocus.follow(columns[2][1].target);
  assert.deepEqual(walk(rovingFocus), [2, 1]);
  assert.equal(columns[2][1].node.tabindex, "0");
});

test("a drawing that replaces another one takes over the position of its tab stop", () => {
  const old = drawing();
  walk(old.rovingFocus, "ArrowRight", "ArrowDown", "ArrowDown");
  const { columns, rovingFocus } = drawing();
  rovingFocus.restore(old.rovingFocus.position);
  assert.equal(rovingFocus.stop, columns[1][2]);
  assert.deepEqual(
    columns.flat().filter(({ node }) => node.tabindex === "0"),
    [columns[1][2]],
  );
  const smaller = new RovingFocus([1, 2, 2, 1].map((rows, i) => [stopAt(i, 0)].slice(0, rows)));
  smaller.restore(old.rovingFocus.position);
  assert.deepEqual(smaller.stop.target, { kind: "parameter", parameter: 1, index: 0 });
});
