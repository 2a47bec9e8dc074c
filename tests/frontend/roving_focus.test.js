import assert from "node:assert/strict";
import { test } from "node:test";

import { Rove } from "../../frontend/views/network/roving_focus.js";

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
  return { columns, rove: new Rove(columns) };
}

/** @param {Rove} rove @param {string[]} keys */
function walk(rove, ...keys) {
  for (const key of keys) rove.press(key);
  const { target } = rove.stop;
  return target.kind === "parameter" ? [target.parameter, target.index] : [];
}

test("the drawing is one tab stop, wherever the keyboard is in it", () => {
  const { columns, rove } = drawing();
  for (const key of ["", "ArrowRight", "ArrowDown", "End", "ArrowRight", "ArrowRight"]) {
    rove.press(key);
    assert.equal(columns.flat().filter(({ node }) => node.tabindex === "0").length, 1, key);
  }
});

test("arrow keys walk along and across, and stop at the ends", () => {
  const { rove } = drawing();
  assert.deepEqual(walk(rove, "ArrowLeft"), [0, 0]);
  assert.deepEqual(walk(rove, "ArrowRight", "ArrowDown"), [1, 1]);
  assert.deepEqual(walk(rove, "ArrowRight", "End"), [2, 2]);
  assert.deepEqual(walk(rove, "ArrowDown"), [2, 2]);
  assert.deepEqual(walk(rove, "Home", "ArrowUp"), [2, 0]);
});

test("passing a column with one element keeps the row", () => {
  const { rove } = drawing();
  assert.deepEqual(walk(rove, "ArrowRight", "End", "ArrowRight", "ArrowRight"), [3, 0]);
  assert.deepEqual(walk(rove, "ArrowLeft"), [2, 2]);
});

test("where it goes is focused", () => {
  const { columns, rove } = drawing();
  rove.press("ArrowRight");
  assert.equal(columns[1][0].node.focused, 1);
});

test("other keys are left to the page", () => {
  const { rove } = drawing();
  assert.deepEqual(
    [" ", ".", "a", "Tab"].map((key) => rove.press(key)),
    [false, false, false, false],
  );
});

test("a click takes the tab stop along", () => {
  const { columns, rove } = drawing();
  rove.follow(columns[2][1].target);
  assert.deepEqual(walk(rove), [2, 1]);
  assert.equal(columns[2][1].node.tabindex, "0");
});
