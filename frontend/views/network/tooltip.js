// Shows the values of the element under the cursor beside it. Knows nothing about events or other
// elements.

import { elementName, format } from "../../lib/format.js";
import { slotsOf } from "../../lib/geometry.js";
import { activationName } from "../../texts.js";
import { isAgainst } from "./arrows.js";

/** @import { Target } from "../../types.js" */
/** @import { Plan } from "../../lib/geometry.js" */
/** @import { Activation } from "../../lib/forward.js" */
/** @import { Picture } from "./picture.js" */

/** @typedef {{label: string, kind: string, text: string}} Row */

/** Pixels at the normal size of text; the style sheet sets the same width. */
const WIDTH = 212;
/** More than its height ever is; used to find out whether there is room. */
const HEIGHT = 120;
/** How far it may reach into the card's padding. */
const OVERHANG = 12;
/** How much of its element it may cover before it changes sides. */
const COVERED = 24;
const ROWS = 4;

export class Tooltip {
  /** @type {string[]} last written, in the order of `cells` */
  #written = [];
  #place = "";

  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.node = parent.appendChild(document.createElement("div"));
    this.node.className = "tooltip";
    this.node.hidden = true;
    // The focused element has the same text; a screen reader should not read it twice.
    this.node.setAttribute("aria-hidden", "true");
    this.title = this.node.appendChild(document.createElement("strong"));
    this.rows = Array.from({ length: ROWS }, () => this.#row());
  }

  #row() {
    const row = this.node.appendChild(document.createElement("div"));
    const label = row.appendChild(document.createElement("span"));
    const text = row.appendChild(document.createElement("span"));
    return { row, label, text };
  }

  /**
   * @param {Target|null} target
   * @param {Picture|null} picture
   * @param {Plan|null} plan
   * @param {Activation} activation
   */
  draw(target, picture, plan, activation) {
    if (target === null || picture === null || plan === null || !exists(target, picture)) {
      this.node.hidden = true;
      return;
    }
    this.#write(this.title, 0, elementName(picture.layout, target));
    const facts = factsOf(target, picture, activation);
    this.rows.forEach(({ row, label, text }, i) => {
      const fact = facts[i] ?? { label: "", kind: "", text: "" };
      row.hidden = fact.text === "";
      row.className = fact.kind;
      this.#write(label, 1 + 2 * i, fact.label);
      this.#write(text, 2 + 2 * i, fact.text);
    });
    this.#move(target, plan);
    this.node.hidden = false;
  }

  /** @param {HTMLElement} node @param {number} slot @param {string} text */
  #write(node, slot, text) {
    if (this.#written[slot] === text) return;
    this.#written[slot] = text;
    node.textContent = text;
  }

  /**
   * Place it beside its element, on the outer side, where the edges leave room. Nothing is
   * measured.
   * @param {Target} target
   * @param {Plan} plan
   */
  #move(target, plan) {
    const { left, right, y } = anchorOf(target, plan);
    const x = Math.round(besideOf(left, right, plan.width, WIDTH * plan.type));
    const height = HEIGHT * plan.type;
    const middle = plan.output.bias.y;
    const upwards = y < middle && y > height;
    const edge = Math.round(upwards ? plan.height - y + 12 : y < middle ? 0 : y + 12);
    const place = `${x} ${upwards} ${edge}`;
    if (place === this.#place) return;
    this.#place = place;
    const { style } = this.node;
    style.left = `${x}px`;
    style.top = upwards ? "auto" : `${Math.min(edge, plan.height - height)}px`;
    style.bottom = upwards ? `${edge}px` : "auto";
  }
}

/**
 * To the left of an element in the left half, to the right of one in the right half, unless that
 * covers the element.
 * @param {number} left
 * @param {number} right
 * @param {number} width
 * @param {number} own
 */
function besideOf(left, right, width, own) {
  const [before, after] = [left - 6 - own, right + 6];
  const [least, most] = [-OVERHANG, width + OVERHANG - own];
  const isLeft = left + right < width;
  const fits = isLeft ? before > least - COVERED : after < most + COVERED;
  return Math.max(least, Math.min(isLeft === fits ? before : after, most));
}

/** @param {Target} target @param {Picture} picture */
function exists(target, { layout }) {
  if (target.kind === "unit") return target.unit < layout.parameters[1].size;
  return (
    target.kind !== "parameter" || target.index < (layout.parameters[target.parameter]?.size ?? 0)
  );
}

/** @param {Target} target @param {Plan} plan */
function anchorOf(target, plan) {
  if (target.kind === "parameter") {
    const { cell, y } = slotsOf(plan, target.parameter, target.index);
    return { left: cell.x, right: cell.x + cell.width, y };
  }
  const box =
    target.kind === "input"
      ? plan.input
      : target.kind === "output"
        ? plan.output.box
        : plan.units[target.unit].box;
  return { left: box.x, right: box.x + box.width, y: box.y + box.height / 2 };
}

/**
 * @param {Target} target
 * @param {Picture} picture
 * @param {Activation} activation
 * @returns {Row[]}
 */
function factsOf(target, picture, activation) {
  if (target.kind === "parameter") return parameterFacts(picture, target.parameter, target.index);
  if (target.kind === "unit") return unitFacts(picture, target.unit, activation);
  if (target.kind === "input") return [{ label: "", kind: "words", text: "the model's input" }];
  return [
    { label: "", kind: "words", text: `Σ v·${phi(activation, "h")} + b: the fit to the data` },
  ];
}

/** @param {Picture} picture @param {number} parameter @param {number} index @returns {Row[]} */
function parameterFacts(picture, parameter, index) {
  const gradient = picture.gradient(parameter, index);
  const change = picture.change(parameter, index);
  const state = picture.gradState(parameter);
  const step = picture.moment?.step ?? 0;
  const against = picture.hasChanges && isAgainst(-gradient, change);
  return [
    { label: "value", kind: "value", text: format(picture.value(parameter, index), 6) },
    {
      label: ".grad",
      kind: "gradient",
      text: state === "none" ? "None" : format(gradient, 6) + (state === "stale" ? " stale" : ""),
    },
    {
      label: `Δ, update ${step}`,
      kind: "change",
      text: picture.before === null ? "" : format(change, 6),
    },
    { label: "≠", kind: "words", text: against ? "moved against its −.grad" : "" },
  ];
}

/** @param {Picture} picture @param {number} j @param {Activation} activation @returns {Row[]} */
function unitFacts(picture, j, activation) {
  const [weight, bias, out] = [0, 1, 2].map((parameter) => format(picture.value(parameter, j)));
  return [
    { label: "computes", kind: "words", text: phi(activation, "w·x + b") },
    { label: "w", kind: "value", text: weight },
    { label: "b", kind: "value", text: bias },
    { label: "v, to the output", kind: "value", text: out },
  ];
}

/** @param {Activation} activation @param {string} inside */
const phi = (activation, inside) => `${activationName(activation)}(${inside})`;
