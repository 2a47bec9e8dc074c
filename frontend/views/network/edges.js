// Draws a weight: a line whose colour shows sign and size, and whose width shows size. Knows
// nothing about units.

import { Mark } from "./mark.js";
import { colourOf, ParameterMark, signPath } from "./parameter_mark.js";

/** @import { Edge as Place, Plan } from "../../lib/geometry.js" */
/** @import { ArrowPaths } from "./arrows.js" */
/** @import { Picture } from "./picture.js" */

export class Edge {
  /** @type {number|undefined} */
  #sign = undefined;

  /**
   * @param {Mark} parent
   * @param {Picture} picture
   * @param {Plan} plan
   * @param {Place} place
   * @param {ArrowPaths} paths
   * @param {number} parameter
   * @param {number} index
   */
  constructor(parent, picture, plan, place, paths, parameter, index) {
    this.parameterMark = new ParameterMark(
      parent,
      "edge",
      picture,
      place.slots,
      paths,
      parameter,
      index,
    );
    this.target = this.parameterMark.target;
    this.path = place.path;
    const { sign, y } = place.slots;
    this.thickest = plan.thickest;
    this.half = plan.sign;
    const { body } = this.parameterMark;
    this.line = new Mark("path", body, { class: "line", d: place.path });
    new Mark("path", body, {
      class: "hit",
      d: place.path,
      "stroke-width": Math.max(8, Math.min(plan.pitch, 16)),
    });
    this.bead = new Mark("circle", body, { class: "bead", cx: sign, cy: y, r: plan.sign });
    this.glyph = new Mark("path", body, { class: "sign", transform: `translate(${sign} ${y})` });
  }

  /** @param {Picture} picture */
  draw(picture) {
    const value = this.parameterMark.draw(picture);
    const colour = colourOf(value, this.parameterMark.parameter, picture);
    this.line.set("stroke", colour);
    this.line.set("stroke-width", this.#width(Math.abs(value) / picture.weights.bound));
    this.bead.set("fill", colour);
    if (Object.is(Math.sign(value), this.#sign)) return;
    this.#sign = Math.sign(value);
    this.glyph.set("d", signPath(value, this.half));
    this.line.set("stroke-dasharray", Number.isFinite(value) ? null : "4 4");
  }

  /** In tenths of a pixel. @param {number} share of the scale */
  #width(share) {
    const thickness = Number.isFinite(share)
      ? 0.8 + (this.thickest - 0.8) * Math.min(share, 1)
      : 1.2;
    return String(Math.round(thickness * 10) / 10);
  }
}
