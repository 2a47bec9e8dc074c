// Draws the two arrows of one parameter and the mark beside them: −.grad solid, Δ outlined, and "≠"
// where they disagree. Knows nothing about edges or chips.

import { arrowPath } from "../../lib/geometry.js";
import { Mark } from "./mark.js";

/** @import { Plan, Slots } from "../../lib/geometry.js" */
/** @import { Picture } from "./picture.js" */

/** Lengths are drawn in halves of a pixel, so that few different paths are written. */
const FINENESS = 2;

/** Arrow paths by length; each is written once. */
export class ArrowPaths {
  /** @type {Map<number, string>} */
  #spelled = new Map();

  /** @param {Plan} plan */
  constructor(plan) {
    this.lift = plan.lift;
    this.longest = plan.arrow;
    this.shortest = Math.min(4.5 * plan.scale, plan.arrow / 3);
    this.stem = plan.stem;
  }

  /** @param {number} fraction 0…1 of the scale @param {boolean} up */
  path(fraction, up) {
    const length = this.shortest + (this.longest - this.shortest) * fraction;
    const key = Math.round(length * FINENESS) * (up ? 1 : -1);
    let path = this.#spelled.get(key);
    if (path === undefined) {
      path = arrowPath(key / FINENESS, this.stem, this.lift);
      this.#spelled.set(key, path);
    }
    return path;
  }
}

/** One arrow. It is in the page only while there is a number to show. */
export class Arrow {
  /**
   * @param {"gradient"|"change"} kind
   * @param {string} name
   * @param {number} x
   * @param {number} y
   * @param {ArrowPaths} paths
   */
  constructor(kind, name, x, y, paths) {
    this.paths = paths;
    this.mark = new Mark("path", null, {
      class: `arrow ${kind}`,
      transform: `translate(${x} ${y})`,
    });
    this.mark.set("data-name", name);
    this.mark.set("data-kind", kind);
  }

  /**
   * @param {Mark} parent
   * @param {number} way the number to show, signed
   * @param {number} fraction below 0: no arrow
   */
  draw(parent, way, fraction) {
    const shown = fraction >= 0;
    if (shown) {
      this.mark.set("d", this.paths.path(fraction, way > 0));
      this.mark.set("data-direction", way > 0 ? "up" : "down");
    }
    this.mark.show(parent, shown);
  }
}

/** Everything in the slots of one parameter except its sign. */
export class Arrows {
  /** @param {Mark} parent @param {string} name @param {Slots} slots @param {ArrowPaths} paths */
  constructor(parent, name, slots, paths) {
    this.parent = parent;
    this.gradient = new Arrow("gradient", name, slots.gradient, slots.y, paths);
    this.change = new Arrow("change", name, slots.change, slots.y, paths);
    this.slots = slots;
    this.note = new Mark("text", null, { class: "note", y: slots.y });
    this.note.set("data-name", name);
  }

  /**
   * @param {Picture} picture
   * @param {number} parameter
   * @param {number} index
   * @param {number} value
   */
  draw(picture, parameter, index, value) {
    const state = picture.gradState(parameter);
    const downhill = -picture.gradient(parameter, index);
    const change = picture.hasChanges ? picture.change(parameter, index) : NaN;
    this.gradient.mark.set("data-state", state);
    this.gradient.draw(this.parent, downhill, picture.gradients.fraction(Math.abs(downhill)));
    this.change.draw(this.parent, change, picture.changes.fraction(Math.abs(change)));
    const disagrees = isAgainst(downhill, change);
    if (disagrees) picture.disagreements++;
    this.#annotate(disagrees, value, state === "none" ? 0 : downhill);
  }

  /**
   * Write "nan" or "inf" in the place of the arrows.
   * @param {boolean} disagrees
   * @param {number} value
   * @param {number} downhill
   */
  #annotate(disagrees, value, downhill) {
    const broken = Number.isFinite(value) ? downhill : value;
    const text = disagrees
      ? "≠"
      : Number.isFinite(broken)
        ? ""
        : Number.isNaN(broken)
          ? "nan"
          : "inf";
    if (text !== "") {
      const { note, change, gradient } = this.slots;
      this.note.set("data-kind", disagrees ? "disagreement" : "broken");
      this.note.set("x", String(disagrees ? note : (gradient + change) / 2));
    }
    this.note.say(text);
    this.note.show(this.parent, text !== "");
  }
}

/** @param {number} downhill −.grad @param {number} change */
export const isAgainst = (downhill, change) =>
  (downhill > 0 && change < 0) || (downhill < 0 && change > 0);
