// Draws what an edge and a bias chip have in common: name, value, the colour of the sign, and
// arrows. Knows nothing about the line or the square that is drawn for it.

import { weightColour } from "../../lib/colour.js";
import { elementName, exact, format } from "../../lib/format.js";
import { Arrows, isAgainst } from "./arrows.js";
import { Mark } from "./mark.js";

/** @import { Target } from "../../types.js" */
/** @import { Slots } from "../../lib/geometry.js" */
/** @import { ArrowPaths } from "./arrows.js" */
/** @import { Picture } from "./picture.js" */

export class ParameterMark {
  /**
   * The value that was drawn last; the same value is not written again.
   * @type {number|undefined}
   */
  #value = undefined;

  /**
   * @param {Mark} parent
   * @param {string} kind "edge" or "chip"
   * @param {Picture} picture
   * @param {Slots} slots
   * @param {ArrowPaths} paths
   * @param {number} parameter position in Layout.parameters
   * @param {number} index flat, row-major
   */
  constructor(parent, kind, picture, slots, paths, parameter, index) {
    /** @type {Target} */
    this.target = { kind: "parameter", parameter, index };
    this.parameter = parameter;
    this.index = index;
    this.name = elementName(picture.layout, this.target);
    this.group = new Mark("g", parent, {
      class: kind,
      role: "button",
      tabindex: -1,
      "aria-label": this.name,
    });
    this.group.set("data-name", this.name);
    this.body = new Mark("g", this.group);
    this.cell = new Mark("rect", this.group, { class: "hit", ...slots.cell });
    this.arrows = new Arrows(this.group, this.name, slots, paths);
  }

  /** Draw everything but the body; returns the value. @param {Picture} picture */
  draw(picture) {
    const value = picture.value(this.parameter, this.index);
    if (!Object.is(value, this.#value)) {
      this.#value = value;
      this.group.set("data-value", exact(value));
      this.group.set("data-sign", signOf(value));
    }
    this.arrows.draw(picture, this.parameter, this.index, value);
    if (picture.isAtRest)
      this.group.set("aria-label", describe(this.name, picture, this.parameter, this.index));
    return value;
  }
}

/** @param {number} value */
function signOf(value) {
  if (Number.isNaN(value)) return "nan";
  return value > 0 ? "positive" : value < 0 ? "negative" : "zero";
}

/**
 * The sign as strokes around (0, 0): "+", "−" or nothing.
 * @param {number} value
 * @param {number} half
 */
export function signPath(value, half) {
  if (Number.isNaN(value) || value === 0) return "";
  const arm = Math.round(half * 6.2) / 10;
  return value > 0 ? `M${-arm} 0H${arm}M0 ${-arm}V${arm}` : `M${-arm} 0H${arm}`;
}

/** @param {number} value @param {number} parameter @param {Picture} picture */
export const colourOf = (value, parameter, picture) =>
  weightColour(value, picture.bound(parameter), picture.dark);

/**
 * The name for a screen reader.
 * @param {string} name
 * @param {Picture} picture
 * @param {number} parameter
 * @param {number} index
 */
function describe(name, picture, parameter, index) {
  const gradient = picture.gradient(parameter, index);
  const state = picture.gradState(parameter);
  const slope = state === "none" ? "no gradient" : `${state} gradient ${format(gradient)}`;
  const words = `${name}, ${format(picture.value(parameter, index))}, ${slope}`;
  if (!picture.hasChanges) return words;
  const change = picture.change(parameter, index);
  const note = isAgainst(-gradient, change) ? ", against its gradient" : "";
  return `${words}, change ${format(change)}${note}`;
}
