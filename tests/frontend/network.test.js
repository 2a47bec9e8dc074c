import assert from "node:assert/strict";
import { test } from "node:test";

import { weightColour } from "../../frontend/lib/colour.js";
import { exact } from "../../frontend/lib/format.js";
import { Mark } from "../../frontend/views/network/mark.js";
import { Picture } from "../../frontend/views/network/picture.js";
import { Scene } from "../../frontend/views/network/scene.js";
import { installDocument } from "./network_document.js";

/** @import { GradState, Layout, Moment, Phase, State } from "../../frontend/types.js" */

const HIDDEN = 13;
const SHAPES = /** @type {const} */ ([
  ["hidden_linear.weight", [HIDDEN, 1]],
  ["hidden_linear.bias", [HIDDEN]],
  ["output_linear.weight", [1, HIDDEN]],
  ["output_linear.bias", [1]],
]);
const COUNT = 3 * HIDDEN + 1;

/** @returns {Layout} */
function layoutOf() {
  let offset = 3;
  const parameters = SHAPES.map(([name, shape]) => {
    const size = shape.reduce((/** @type {number} */ all, one) => all * one, 1);
    const column = { name, shape: [...shape], size, value: offset, gradient: offset + COUNT };
    offset += size;
    return column;
  });
  return { floats: 3 + 2 * COUNT, scalars: new Map(), parameters, states: [] };
}

const LAYOUT = layoutOf();
const AXIS = { name: "t_u", unit: "", scale: 0.1 };
const POINTS = { x: [2, 5, 8], y: [-4, 10, 28] };

/**
 * Numbers that are all different, so that a mixed-up edge shows; signs change from one to the next.
 */
function record(salt = 1) {
  return Float32Array.from(
    { length: LAYOUT.floats },
    (_, i) => (i % 2 ? 1 : -1) * (0.1 + ((i * 37 * salt) % 101) / 50),
  );
}

/** @param {Partial<Moment>} moment @returns {Moment} */
const momentOf = (moment) => ({
  step: 7,
  phase: "step",
  values: record(),
  gradStates: SHAPES.map(() => /** @type {GradState} */ ("fresh")),
  before: null,
  ...moment,
});

/** @param {Moment} moment @param {"paused"|"running"} [state] */
function stateOf(moment, state = "paused") {
  const config = { activation: "tanh", batch_size: null, optimizer: { kind: "adam", lr: 0.1 } };
  const run = { id: "a", state, config };
  const data = { train: POINTS, validation: { x: [4], y: [7] }, x: AXIS, y: AXIS };
  return /** @type {State} */ (
    /** @type {unknown} */ ({
      run,
      data,
      moment,
      dark: false,
      reducedMotion: false,
      layout: LAYOUT,
    })
  );
}

/**
 * Draw moments one after the other; returns what can be found in the drawing.
 * @param {...Moment} moments
 */
function drawn(...moments) {
  const page = installDocument();
  const svg = new Mark("svg", null);
  page.append(/** @type {any} */ (svg.node));
  const picture = new Picture(LAYOUT);
  const scene = new Scene(svg, picture, stateOf(moments[0]), 720, 640, "test");
  for (const moment of moments) {
    picture.take(stateOf(moment), moment);
    scene.draw(stateOf(moment), moment);
  }
  return { page, picture, scene };
}

/** Every parameter's element: [name, kind of element, its place in a record]. */
const ELEMENTS = LAYOUT.parameters.flatMap(({ name, shape, size, value, gradient }, parameter) =>
  Array.from({ length: size }, (_, i) => {
    const index = shape.length === 1 ? `${i}` : parameter === 0 ? `${i}, 0` : `0, ${i}`;
    return {
      name: `${name}[${index}]`,
      parameter,
      kind: parameter % 2 ? "chip" : "edge",
      value: value + i,
      gradient: gradient + i,
    };
  }),
);

test("all 40 parameters are there, each with its own value, sign and colour", () => {
  const values = record();
  const { page, picture } = drawn(momentOf({ values }));
  assert.equal(ELEMENTS.length, 40);
  for (const { name, parameter, kind, value } of ELEMENTS) {
    const [element, ...others] = page.all({ class: kind, "data-name": name });
    assert.equal(others.length, 0, name);
    assert.equal(element.attributes["data-value"], exact(values[value]), name);
    assert.equal(
      element.attributes["data-sign"],
      values[value] > 0 ? "positive" : "negative",
      name,
    );
    const [body] = element.all({ class: kind === "edge" ? "line" : "square" });
    const colour = body.attributes[kind === "edge" ? "stroke" : "fill"];
    assert.equal(colour, weightColour(values[value], picture.bound(parameter), false), name);
  }
});

test("the edge of weight[j, 0] ends at unit j, and that of weight[0, j] at its other side", () => {
  const { page, scene } = drawn(momentOf({}));
  for (let j = 0; j < HIDDEN; j++) {
    const { box, bias } = scene.plan.units[j];
    for (const [name, x] of /** @type {const} */ ([
      [`hidden_linear.weight[${j}, 0]`, box.x],
      [`output_linear.weight[0, ${j}]`, box.x + box.width],
    ])) {
      const [line] = page.all({ class: "edge", "data-name": name })[0].all({ class: "line" });
      const [, y, end] = /** @type {RegExpMatchArray} */ (
        line.attributes.d.match(/ ([\d.]+)H([\d.]+)$/)
      );
      assert.equal(Number(y), bias.y, name);
      assert.ok(Math.abs(Number(end) - x) <= 2, name);
    }
  }
});

test("large biases leave the colours of the weights alone, and the legend prints both ends", () => {
  const values = record();
  values[LAYOUT.parameters[1].value] = 17;
  const { page, picture } = drawn(momentOf({ values }));
  assert.deepEqual(
    [picture.bound(0), picture.bound(1), picture.bound(2), picture.bound(3)],
    [3, 20, 3, 20],
  );
  const texts = page.all({ class: "tick" }).map(({ textContent }) => textContent);
  for (const end of ["−3.0", "3.0", "−20", "20"])
    assert.ok(texts.includes(end), `${end} of ${texts}`);
});

test("a larger weight is a wider edge", () => {
  const values = record();
  values[LAYOUT.parameters[0].value] = 0.01;
  values[LAYOUT.parameters[0].value + 1] = -2;
  const { page } = drawn(momentOf({ values }));
  const width = (/** @type {number} */ j) =>
    Number(
      page
        .all({ class: "edge", "data-name": `hidden_linear.weight[${j}, 0]` })[0]
        .all({ class: "line" })[0].attributes["stroke-width"],
    );
  assert.ok(width(1) > width(0) + 2);
});

test("every violet arrow points the way of −.grad", () => {
  const values = record();
  const { page } = drawn(momentOf({ values, phase: "backward" }));
  for (const { name, gradient } of ELEMENTS) {
    const [arrow] = page.all({ "data-kind": "gradient", "data-name": name });
    assert.equal(arrow.attributes["data-direction"], values[gradient] < 0 ? "up" : "down", name);
    assert.equal(arrow.attributes["data-state"], "fresh", name);
  }
});

test("green arrows point the way of their change; disagreements are marked and counted", () => {
  const values = record();
  const before = record(3);
  const { page, picture } = drawn(momentOf({ values, before }));
  let against = 0;
  for (const { name, value, gradient } of ELEMENTS) {
    const change = values[value] - before[value];
    const arrows = page.all({ "data-kind": "change", "data-name": name });
    if (change === 0) assert.equal(arrows.length, 0, name);
    else assert.equal(arrows[0].attributes["data-direction"], change > 0 ? "up" : "down", name);
    const marks = page.all({ "data-kind": "disagreement", "data-name": name });
    assert.equal(marks.length, values[gradient] * change > 0 ? 1 : 0, name);
    if (marks.length) assert.equal(marks[0].textContent, "≠");
    against += marks.length;
  }
  assert.ok(against > 0 && against < 40);
  assert.equal(picture.disagreements, against);
});

test("before the first backward there is no arrow", () => {
  const gradStates = SHAPES.map(() => /** @type {GradState} */ ("none"));
  const { page } = drawn(momentOf({ gradStates }), momentOf({ gradStates, values: record(2) }));
  assert.equal(page.all({ "data-kind": "gradient" }).length, 0);
});

test("zero_grad() takes the arrows away, backward() brings them back", () => {
  const none = momentOf({
    phase: "zero_grad",
    gradStates: SHAPES.map(() => /** @type {GradState} */ ("none")),
  });
  assert.equal(drawn(momentOf({}), none).page.all({ "data-kind": "gradient" }).length, 0);
  assert.equal(
    drawn(momentOf({}), none, momentOf({ phase: "backward" })).page.all({ "data-kind": "gradient" })
      .length,
    40,
  );
});

test("stale gradients say so", () => {
  const gradStates = SHAPES.map(() => /** @type {GradState} */ ("stale"));
  const arrows = drawn(momentOf({ phase: "forward", gradStates })).page.all({
    "data-kind": "gradient",
  });
  assert.deepEqual(
    new Set(arrows.map(({ attributes }) => attributes["data-state"])),
    new Set(["stale"]),
  );
});

test("inside an iteration there are no green arrows, for Δ is of the one before", () => {
  for (const phase of /** @type {Phase[]} */ (["zero_grad", "forward", "loss", "backward"])) {
    const { page } = drawn(momentOf({ before: record(3) }), momentOf({ phase, before: record(3) }));
    assert.equal(page.all({ "data-kind": "change" }).length, 0, phase);
    assert.equal(page.all({ "data-kind": "disagreement" }).length, 0, phase);
  }
});

test("a gradient below the scale's floor has no arrow", () => {
  const values = record();
  const { gradient } = LAYOUT.parameters[0];
  values[gradient] = 1e-7;
  values[gradient + 1] = 0;
  const { page } = drawn(momentOf({ values }));
  for (const j of [0, 1]) {
    assert.equal(
      page.all({ "data-kind": "gradient", "data-name": `hidden_linear.weight[${j}, 0]` }).length,
      0,
    );
  }
});

test("a NaN is said in words and leaves no broken path", () => {
  const values = record();
  for (const { value } of LAYOUT.parameters) values[value] = NaN;
  values[LAYOUT.parameters[0].value + 1] = Infinity;
  const { page } = drawn(momentOf({ values }));
  const [edge] = page.all({ class: "edge", "data-name": "hidden_linear.weight[0, 0]" });
  assert.deepEqual([edge.attributes["data-value"], edge.attributes["data-sign"]], ["nan", "nan"]);
  assert.equal(edge.all({ "data-kind": "broken" })[0].textContent, "nan");
  assert.ok(edge.all({ class: "line" })[0].attributes["stroke-dasharray"]);
  const written = page.all({}).flatMap(({ attributes }) => Object.entries(attributes));
  for (const [name, text] of written) {
    if (!name.startsWith("data-") && name !== "aria-label")
      assert.doesNotMatch(text, /NaN|Infinity|undefined/, name);
  }
});

test("a drawing that has seen many moments shows the last one", () => {
  const last = momentOf({ values: record(5), before: record(7) });
  const texts = (/** @type {ReturnType<typeof drawn>} */ { page }) =>
    ELEMENTS.map(
      ({ name, kind }) => page.all({ class: kind, "data-name": name })[0].attributes["data-value"],
    );
  assert.deepEqual(
    texts(drawn(momentOf({}), momentOf({ values: record(3) }), last)),
    texts(drawn(last)),
  );
});

test("a screen reader is told name, value, gradient and change", () => {
  const values = record();
  const [at] = LAYOUT.parameters;
  [values[at.value], values[at.gradient]] = [0.5, 0.25];
  const before = record();
  before[at.value] = 0.25;
  const { page } = drawn(momentOf({ values, before }));
  const { attributes } = page.all({ class: "edge", "data-name": "hidden_linear.weight[0, 0]" })[0];
  assert.equal(
    attributes["aria-label"],
    "hidden_linear.weight[0, 0], 0.5000, fresh gradient 0.2500, " +
      "change 0.2500, against its gradient",
  );
});
