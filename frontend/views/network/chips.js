// Draws a bias: a square on its unit, in the weight colours, with its sign and arrows. Knows
// nothing about edges.

import { Mark } from "./mark.js";
import { colourOf, ParameterMark, signPath } from "./parameter_mark.js";

/** @import { Plan, Slots } from "../../lib/geometry.js" */
/** @import { ArrowPaths } from "./arrows.js" */
/** @import { Picture } from "./picture.js" */

export class Chip {
  /** @type {number|undefined} */
  #sign = undefined;

  /**
   * @param {Mark} parent
   * @param {Picture} picture
   * @param {Plan} plan
   * @param {Slots} slots
   * @param {ArrowPaths} paths
   * @param {number} parameter
   * @param {number} index
   */
  constructor(parent, picture, plan, slots, paths, parameter, index) {
    this.parameterMark = new ParameterMark(parent, "chip", picture, slots, paths, parameter, index);
    this.target = this.parameterMark.target;
    this.half = plan.sign;
    const side = {
      x: slots.sign - this.half,
      y: slots.y - this.half,
      width: 2 * this.half,
      height: 2 * this.half,
    };
    this.square = new Mark("rect", this.parameterMark.body, {
      class: "square",
      rx: this.half * 0.35,
      ...side,
    });
    this.glyph = new Mark("path", this.parameterMark.body, {
      class: "sign",
      transform: `translate(${slots.sign} ${slots.y})`,
    });
  }

  /** @param {Picture} picture */
  draw(picture) {
    const value = this.parameterMark.draw(picture);
    this.square.set("fill", colourOf(value, this.parameterMark.parameter, picture));
    if (Object.is(Math.sign(value), this.#sign)) return;
    this.#sign = Math.sign(value);
    this.glyph.set("d", signPath(value, this.half));
    this.square.set("stroke-dasharray", Number.isFinite(value) ? null : "2 2");
  }
}
