// Draws a small curve in a box, without axes. Knows nothing about what it shows.

import { linePath } from "../../lib/geometry.js";
import { Mark } from "./mark.js";

/** @import { Box } from "../../lib/geometry.js" */

/** @typedef {{low: number, high: number}} Range */

export class Plot {
  /**
   * @param {Mark} parent
   * @param {Box} box
   * @param {Range} inputs the range of x
   * @param {number} points of the curve
   * @param {number} inset pixels left free on every side
   */
  constructor(parent, box, inputs, points, inset) {
    this.inputs = inputs;
    this.left = box.x + inset;
    this.width = box.width - 2 * inset;
    this.bottom = box.y + box.height - inset;
    this.height = box.height - 2 * inset;
    /** The inputs at which the curve is computed. */
    this.xs = Float64Array.from(
      { length: points },
      (_, i) => inputs.low + ((inputs.high - inputs.low) * i) / (points - 1),
    );
    /** Its values there: fill, then call `trace`. */
    this.ys = new Float64Array(points);
    this.pixels = this.xs.map((x) => this.x(x));
    this.group = new Mark("g", parent);
    this.zero = new Mark("path", null, { class: "zero" });
    this.line = new Mark("path", this.group, { class: "curve" });
    this.note = new Mark("text", null, {
      class: "broken",
      x: Math.round(box.x + box.width / 2),
      y: Math.round(box.y + box.height / 2),
    });
  }

  /** @param {number} x */
  x(x) {
    return this.left + (this.width * (x - this.inputs.low)) / (this.inputs.high - this.inputs.low);
  }

  /** @param {number} y @param {Range} range */
  y(y, range) {
    return this.bottom - (this.height * (y - range.low)) / (range.high - range.low);
  }

  /** Draw the curve that is in `ys`, or write "nan". @param {Range} range */
  trace(range) {
    const slope = this.height / (range.high - range.low);
    for (let i = 0; i < this.ys.length; i++)
      this.ys[i] = this.bottom - slope * (this.ys[i] - range.low);
    const path = linePath(this.pixels, this.ys);
    this.line.set("d", path);
    this.note.say("nan");
    this.note.show(this.group, path === "");
  }

  /** Draw a faint line where y is 0, if the range includes 0. @param {Range} range */
  ground(range) {
    const inside = range.low < 0 && range.high > 0;
    if (inside)
      this.zero.set("d", `M${this.left} ${Math.round(this.y(0, range) * 10) / 10}h${this.width}`);
    if (inside && this.zero.node.parentNode === null) this.group.node.prepend(this.zero.node);
  }
}
