// Draws the input, the hidden units and the output, each with a picture of its numbers. Knows
// nothing about the edges between them.

import { curve, unit } from "../../lib/forward.js";
import { steadyScale } from "../../lib/scale.js";
import { activationName } from "../../texts.js";
import { Mark } from "./mark.js";
import { Plot } from "./plot.js";

/** @import { RunData, Target } from "../../types.js" */
/** @import { Box, Node, Plan } from "../../lib/geometry.js" */
/** @import { Activation } from "../../lib/forward.js" */
/** @import { Picture } from "./picture.js" */
/** @import { Range } from "./plot.js" */

const UNIT_POINTS = 25;
const OUTPUT_POINTS = 61;

/**
 * The range of inputs over which everything is plotted, with a small margin.
 * @param {RunData|null} data
 * @returns {Range}
 */
export function inputRange(data) {
  return widened(data === null ? [-1, 1] : [...data.train.x, ...data.validation.x], 0.04);
}

/** @param {number[]} values @param {number} air share of the span @returns {Range} */
function widened(values, air) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = (high - low) * air || 1;
  return { low: low - margin, high: high + margin };
}

/** @param {Mark} parent @param {string} kind @param {Target} target @param {Box} box */
function place(parent, kind, target, box) {
  const group = new Mark("g", parent, {
    class: kind,
    role: "button",
    tabindex: -1,
    "data-name": nameOf(target),
  });
  new Mark("rect", group, { class: "box", rx: Math.min(7, box.height / 4), ...box });
  return group;
}

/** The background of a plot, within the border of its box. @param {Mark} parent @param {Box} box */
function ground(parent, { x, y, width, height }) {
  const inside = { x, y: y + 2, width: width - 2, height: height - 4, rx: Math.min(5, height / 5) };
  new Mark("rect", parent, { class: "ground", ...inside });
}

/** @param {Target} target */
const nameOf = (target) => (target.kind === "unit" ? `unit ${target.unit}` : target.kind);

/**
 * The range of all units' plots. Bounded activations have a fixed one; for the others it follows
 * the
 * numbers.
 */
export class UnitRange {
  #live = steadyScale();
  #past = steadyScale();

  /** @param {Activation} activation @param {Range} inputs */
  constructor(activation, inputs) {
    this.activation = activation;
    this.inputs = inputs;
    /** @type {Range} */
    this.range = activation === "sigmoid" ? { low: -0.06, high: 1.06 } : { low: -1.1, high: 1.1 };
  }

  /**
   * Every activation is monotone, so the extremes are at the ends of the input.
   * @param {Picture} picture
   * @param {number} hidden
   */
  update(picture, hidden) {
    if (this.activation === "tanh" || this.activation === "sigmoid") return;
    let most = 0;
    for (let j = 0; j < hidden; j++) {
      for (const x of [this.inputs.low, this.inputs.high]) {
        const y = Math.abs(unit(picture.values, picture.layout, this.activation, j, x));
        if (y > most && y < Infinity) most = y;
      }
    }
    const bound = (picture.look === "live" ? this.#live : this.#past).fit(most, picture.look);
    if (bound === this.range.high) return;
    this.range = { low: this.activation === "relu" ? -bound * 0.06 : -bound, high: bound };
  }
}

export class Unit {
  #weight = NaN;
  #bias = NaN;
  /** @type {Range|null} */
  #range = null;

  /**
   * @param {Mark} parent
   * @param {Plan} plan
   * @param {Node} node
   * @param {number} j
   * @param {UnitRange} range
   */
  constructor(parent, plan, node, j, range) {
    this.j = j;
    this.ranges = range;
    /** @type {Target} */
    this.target = { kind: "unit", unit: j };
    this.group = place(parent, "unit", this.target, node.box);
    this.group.set(
      "aria-label",
      `hidden unit ${j}, ${activationName(range.activation)} of weight times input plus bias`,
    );
    if (node.plot) ground(this.group, node.plot);
    this.plot =
      node.plot &&
      new Plot(
        this.group,
        node.plot,
        range.inputs,
        UNIT_POINTS,
        Math.min(4, node.plot.height * 0.1),
      );
    if (node.plot && plan.pitch >= 36 && !plan.narrow) label(this.group, node, j);
  }

  /** @param {Picture} picture */
  draw(picture) {
    const [weight, bias] = [picture.value(0, this.j), picture.value(1, this.j)];
    const { range, activation } = this.ranges;
    if (weight === this.#weight && bias === this.#bias && range === this.#range) return;
    if (this.plot === null) return;
    this.#weight = weight;
    this.#bias = bias;
    this.#range = range;
    const { xs, ys } = this.plot;
    for (let i = 0; i < xs.length; i++)
      ys[i] = unit(picture.values, picture.layout, activation, this.j, xs[i]);
    this.plot.ground(range);
    this.plot.trace(range);
  }
}

/**
 * The number of a unit, small, below its bias.
 * @param {Mark} parent
 * @param {Node} node
 * @param {number} j
 */
function label(parent, { box, bias }, j) {
  new Mark("text", parent, { class: "number", x: bias.sign, y: box.y + box.height - 4 }).say(
    String(j),
  );
}

export class Input {
  /** @param {Mark} parent @param {Plan} plan @param {RunData|null} data */
  constructor(parent, plan, data) {
    /** @type {Target} */
    this.target = { kind: "input" };
    const { input: box, narrow } = plan;
    this.group = place(parent, "input", this.target, box);
    const name = data?.x.name ?? "x";
    this.group.set("aria-label", `input ${name}`);
    const x = box.x + box.width / 2;
    const y = box.y + box.height * (data === null ? 0.5 : 0.38);
    new Mark("text", this.group, { class: "variable", x, y }).say(name);
    if (data !== null) rug(this.group, box, data, narrow ? 4 : 7);
  }

  draw() {}
}

/**
 * The training inputs as a row of strokes.
 * @param {Mark} parent
 * @param {Box} box
 * @param {RunData} data
 * @param {number} inset
 */
function rug(parent, box, data, inset) {
  const range = inputRange(data);
  const y = Math.round(box.y + box.height * 0.66);
  const stroke = (/** @type {number} */ x) => {
    const share = (x - range.low) / (range.high - range.low);
    const at = Math.round((box.x + inset + share * (box.width - 2 * inset)) * 10) / 10;
    return `M${at} ${y}v${Math.round(box.height * 0.16)}`;
  };
  new Mark("path", parent, { class: "rug", d: data.train.x.map(stroke).join("") });
}

export class Output {
  /**
   * @param {Mark} parent
   * @param {Plan} plan
   * @param {RunData|null} data
   * @param {Activation} activation
   * @param {string} clip id of the clip path to make
   */
  constructor(parent, plan, data, activation, clip) {
    /** @type {Target} */
    this.target = { kind: "output" };
    this.activation = activation;
    const box = /** @type {Box} */ (plan.output.plot);
    this.group = place(parent, "output", this.target, plan.output.box);
    ground(this.group, box);
    this.plot = new Plot(this.group, box, inputRange(data), OUTPUT_POINTS, plan.narrow ? 4 : 7);
    this.range = widened(data === null ? [-1, 1] : [...data.train.y, ...data.validation.y], 0.1);
    new Mark("rect", new Mark("clipPath", this.group, { id: clip }), { ...box });
    this.plot.line.set("clip-path", `url(#${clip})`);
    this.group.set("aria-label", `output, the fit${data === null ? "" : ` of ${data.y.name}`}`);
    if (data !== null) this.#scatter(data, plan);
  }

  /** @param {RunData} data @param {Plan} plan */
  #scatter(data, plan) {
    const r = plan.narrow ? 1.9 : 2.6 * plan.scale;
    for (const [kind, { x, y }] of /** @type {const} */ ([
      ["train", data.train],
      ["validation", data.validation],
    ])) {
      x.forEach((at, i) => {
        const [cx, cy] = [this.plot.x(at), this.plot.y(y[i], this.range)].map(
          (pixel) => Math.round(pixel * 10) / 10,
        );
        this.plot.group.node.prepend(
          new Mark("circle", null, { class: `point ${kind}`, cx, cy, r }).node,
        );
      });
    }
  }

  /** @param {Picture} picture */
  draw(picture) {
    curve(picture.values, picture.layout, this.activation, this.plot.xs, this.plot.ys);
    this.plot.trace(this.range);
  }
}
