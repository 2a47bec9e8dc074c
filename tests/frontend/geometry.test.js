import assert from "node:assert/strict";
import { test } from "node:test";

import { arrange, arrowPath, linePath, slotsOf } from "../../frontend/lib/geometry.js";

/** @import { Box, Plan } from "../../frontend/lib/geometry.js" */

/** Card sizes from a phone to a 4K screen. */
const SIZES = [
  [340, 560],
  [358, 640],
  [560, 520],
  [720, 640],
  [900, 480],
  [1400, 1100],
  [2600, 1900],
];
const HIDDEN = [1, 2, 3, 13, 30, 40, 64];
const PLANS = SIZES.flatMap(([width, height]) =>
  HIDDEN.map((hidden) => arrange(width, height, hidden)),
);
const title = (/** @type {Plan} */ { width, height, units }) =>
  `${width}×${height}, ${units.length} hidden`;

/** @param {Box} inner @param {Box} outer */
const isInside = (inner, outer) =>
  inner.x >= outer.x &&
  inner.y >= outer.y &&
  inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height;

/** Numbers of an edge's path. @param {string} path */
const pathNumbers = (path) =>
  path
    .split(/[A-Z ]/)
    .filter(Boolean)
    .map(Number);

test("everything stands inside the drawing", () => {
  for (const plan of PLANS) {
    const whole = { x: 0, y: 0, width: plan.width, height: plan.height };
    for (const box of [
      plan.input,
      plan.output.box,
      plan.legend,
      ...plan.units.map((unit) => unit.box),
    ]) {
      assert.ok(isInside(box, whole), title(plan));
    }
  }
});

test("columns follow each other from left to right, with room for the fans between", () => {
  for (const { input, incoming, units, outgoing, output, ...plan } of PLANS) {
    const inputEnd = input.x + input.width;
    const lastLane = Math.max(...outgoing.map(({ slots }) => slots.cell.x + slots.cell.width));
    const name = title({ input, incoming, units, outgoing, output, ...plan });
    assert.ok(
      incoming[0].slots.cell.x - inputEnd >= 20,
      `${name}: left fan ${incoming[0].slots.cell.x - inputEnd}`,
    );
    assert.ok(output.box.x - lastLane >= 20, `${name}: right fan ${output.box.x - lastLane}`);
    for (const { slots } of incoming)
      assert.ok(slots.cell.x + slots.cell.width <= units[0].box.x + 1, name);
  }
});

test("units do not overlap, nor the headings above or the legend below", () => {
  for (const plan of PLANS) {
    const { units, headings, legend } = plan;
    units
      .slice(1)
      .forEach(({ box }, j) =>
        assert.ok(units[j].box.y + units[j].box.height <= box.y, title(plan)),
      );
    const last = units[units.length - 1].box;
    assert.ok(units[0].box.y > headings[0].y + 12 * plan.scale, title(plan));
    assert.ok(last.y + last.height <= legend.y + 1, title(plan));
  }
});

test("arrows of neighbours that stand in the same column do not touch", () => {
  for (const plan of PLANS) {
    for (const column of [plan.incoming, plan.outgoing]) {
      /** @type {Map<number, number>} */
      const lowest = new Map();
      for (const { slots } of column) {
        const above = lowest.get(slots.gradient) ?? -Infinity;
        assert.ok(slots.y - plan.lift - plan.arrow >= above - 1, title(plan));
        lowest.set(slots.gradient, slots.y + plan.lift + plan.arrow);
      }
    }
  }
});

test("edges start and end where their units are, in order", () => {
  for (const { input, incoming, units, outgoing, output } of PLANS) {
    incoming.forEach(({ path, slots }, j) => {
      const [startX, startY, , , , , , endY, endX] = pathNumbers(path);
      assert.ok(Math.abs(startX - input.x - input.width) <= 1);
      assert.ok(startY > input.y && startY < input.y + input.height);
      assert.deepEqual([endY, slots.y], [units[j].bias.y, units[j].bias.y]);
      assert.ok(Math.abs(endX - units[j].box.x) <= 1);
    });
    outgoing.forEach(({ path, slots }, j) => {
      const [startX, startY, , , , , , endY, endX] = pathNumbers(path);
      assert.ok(Math.abs(startX - output.box.x) <= 1);
      assert.ok(startY > output.box.y && startY < output.box.y + output.box.height);
      assert.deepEqual([endY, slots.y], [units[j].bias.y, units[j].bias.y]);
      assert.ok(Math.abs(endX - units[j].box.x - units[j].box.width) <= 2);
    });
  }
});

test("the default network has a plot in each unit, on a phone too; 64 units have none", () => {
  for (const [width, height] of SIZES)
    assert.ok(arrange(width, height, 13).units.every(({ plot }) => plot !== null));
  assert.ok(arrange(720, 640, 64).units.every(({ plot }) => plot === null));
});

test("plots stand inside their units, right of the bias", () => {
  for (const plan of PLANS) {
    for (const { box, plot, bias } of [...plan.units, plan.output]) {
      if (plot === null) continue;
      assert.ok(isInside(plot, box), title(plan));
      assert.ok(bias.change < plot.x, title(plan));
    }
  }
});

test("a parameter's slots are found by its place in named_parameters()", () => {
  const plan = arrange(720, 640, 13);
  assert.equal(slotsOf(plan, 0, 9), plan.incoming[9].slots);
  assert.equal(slotsOf(plan, 1, 9), plan.units[9].bias);
  assert.equal(slotsOf(plan, 2, 9), plan.outgoing[9].slots);
  assert.equal(slotsOf(plan, 3, 0), plan.output.bias);
});

test("an arrow up ends above its line, an arrow down below it, at the same distance", () => {
  assert.equal(arrowPath(10, 2, 3), "M-1 -3V-8.8H-2.9L0 -13L2.9 -8.8H1V-3Z");
  assert.equal(arrowPath(-10, 2, 3), "M-1 3V8.8H-2.9L0 13L2.9 8.8H1V3Z");
});

test("a line through what is no number is empty, not broken", () => {
  const xs = Float64Array.of(0, 1, 2);
  assert.equal(linePath(xs, Float64Array.of(1, 2.04, 3)), "M0 1L1 2L2 3");
  for (const bad of [NaN, Infinity, -Infinity])
    assert.equal(linePath(xs, Float64Array.of(1, bad, 3)), "");
});
