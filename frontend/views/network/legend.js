// Draws the legend: what colours, widths and lengths mean, with the numbers at their ends. Knows
// nothing about single parameters.

import { weightColour } from "../../lib/colour.js";
import { format, stepText } from "../../lib/format.js";
import { optimizerName } from "../../texts.js";
import { Mark } from "./mark.js";

/** @import { GradState, Moment } from "../../types.js" */
/** @import { Plan } from "../../lib/geometry.js" */
/** @import { ArrowPaths } from "./arrows.js" */
/** @import { Picture } from "./picture.js" */

const STOPS = 16;
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** A power of ten with a superscript: 10⁻³. @param {number} value */
export function powerText(value) {
  const exponent = Math.round(Math.log10(value));
  const digits = [...String(Math.abs(exponent))]
    .map((digit) => SUPERSCRIPTS[Number(digit)])
    .join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

/** Where the three parts of the legend begin. @param {Plan} plan */
function partsOf({ legend, narrow, scale }) {
  if (narrow) {
    const at = (/** @type {number} */ y) => ({ x: legend.x + 4, y: legend.y + y });
    return { weights: at(21), gradients: at(66), changes: at(108) };
  }
  const y = legend.y + 36 * scale;
  const at = (/** @type {number} */ share) => ({ x: legend.x + legend.width * share, y });
  return { weights: at(0), gradients: at(0.255), changes: at(0.685) };
}

export class Legend {
  /**
   * @param {Mark} parent
   * @param {Plan} plan
   * @param {Picture} picture
   * @param {ArrowPaths} paths
   * @param {string} optimizer config's kind
   * @param {string} gradientId of the colour ramp to make
   */
  constructor(parent, plan, picture, paths, optimizer, gradientId) {
    const parts = partsOf(plan);
    this.group = new Mark("g", parent, { class: "legend" });
    this.ramp = new Ramp(this.group, parts.weights, plan, gradientId);
    this.gradients = new ArrowLegend(
      this.group,
      "gradient",
      parts.gradients,
      plan,
      paths,
      picture.gradients.decades,
    );
    this.changes = new ArrowLegend(
      this.group,
      "change",
      parts.changes,
      plan,
      paths,
      picture.changes.decades,
    );
    this.gradients.title.say("−.grad: downhill");
    this.changes.title.say(`Δ: the change by ${optimizerName(optimizer)}`);
  }

  /** @param {Picture} picture */
  draw(picture) {
    this.ramp.draw(picture);
    this.gradients.scale(picture.gradients);
    this.changes.scale(picture.changes);
    this.gradients.say(
      gradientText(picture.gradStates, picture.moment?.step ?? 0),
      picture.gradStates.includes("stale") ? "stale" : "fresh",
    );
    const { moment, hasChanges } = picture;
    this.changes.say(hasChanges ? againstText(picture) : unknownChange(moment), "fresh");
  }
}

/**
 * The colour ramp of weights and biases: thin in the middle and thick at the ends, as edges are.
 */
class Ramp {
  /** @type {boolean|null} */
  #dark = null;

  /**
   * @param {Mark} parent
   * @param {{x: number, y: number}} at
   * @param {Plan} plan
   * @param {string} id
   */
  constructor(parent, { x, y }, { narrow, scale }, id) {
    const [width, half] = [narrow ? 160 : 132 * scale, 5 * scale];
    const ramp = new Mark("linearGradient", parent, { id });
    this.stops = Array.from(
      { length: STOPS + 1 },
      (_, i) => new Mark("stop", ramp, { offset: i / STOPS }),
    );
    const [middle, end, top] = [x + width / 2, x + width, y - 9 * scale];
    const upper = `M${x} ${top - half}L${middle} ${top - 0.6}L${end} ${top - half}`;
    const lower = `V${top + half}L${middle} ${top + 0.6}L${x} ${top + half}Z`;
    new Mark("path", parent, { class: "ramp", d: upper + lower, fill: `url(#${id})` });
    const below = top + half + 13 * scale;
    this.weights = new Ends(parent, "weight", x, width, below);
    this.biases = new Ends(parent, "bias", x, width, below + 14 * scale);
  }

  /** @param {Picture} picture */
  draw({ weights, biases, dark }) {
    this.weights.say(weights.bound);
    this.biases.say(biases.bound);
    if (dark === this.#dark) return;
    this.#dark = dark;
    this.stops.forEach((stop, i) =>
      stop.set("stop-color", weightColour((2 * i) / STOPS - 1, 1, dark)),
    );
  }
}

/** The numbers at the ends of the ramp. */
class Ends {
  /**
   * @param {Mark} parent
   * @param {string} name
   * @param {number} x
   * @param {number} width
   * @param {number} y
   */
  constructor(parent, name, x, width, y) {
    this.low = new Mark("text", parent, { class: "tick", x, y });
    new Mark("text", parent, { class: "name", x: x + width / 2, y, "text-anchor": "middle" }).say(
      name,
    );
    this.high = new Mark("text", parent, { class: "tick", x: x + width, y, "text-anchor": "end" });
  }

  /** @param {number} bound */
  say(bound) {
    this.low.say(format(-bound, 2));
    this.high.say(format(bound, 2));
  }
}

/** @param {GradState[]} gradStates @param {number} step completed updates */
export function gradientText(gradStates, step) {
  if (gradStates.every((state) => state === "none"))
    return step === 0 ? ".grad is None: no backward() yet" : ".grad is None again: zero_grad()";
  if (gradStates.includes("stale")) return "pale: stale, from an earlier backward()";
  return "↑ makes the number larger, ↓ smaller";
}

/** @param {Pick<Picture, "disagreements"|"areAllFinite">} picture */
export function againstText({ disagreements, areAllFinite }) {
  if (disagreements > 0) return `≠ against its −.grad: ${disagreements}`;
  return areAllFinite ? "none against its −.grad" : "not finite: no sign to compare";
}

/** Why there is no change to show. @param {Pick<Moment, "step"|"phase">|null} moment */
export function unknownChange(moment) {
  if (moment === null || moment.phase !== "step") return "shown after step()";
  return moment.step === 0 ? "no update yet" : `no record of step ${stepText(moment.step - 1)}`;
}

/** One kind of arrow: a row of growing arrows, the ends of their scale, and what they mean. */
class ArrowLegend {
  /**
   * @param {Mark} parent
   * @param {"gradient"|"change"} kind
   * @param {{x: number, y: number}} at
   * @param {Plan} plan
   * @param {ArrowPaths} paths
   * @param {number} decades
   */
  constructor(parent, kind, { x, y }, plan, paths, decades) {
    const { scale, narrow } = plan;
    const step = narrow ? 12 : 10.5 * scale;
    const foot = y + 6 * scale;
    this.group = new Mark("g", parent, { class: "sample" });
    for (let i = 0; i <= decades; i++) {
      const place = `translate(${Math.round(x + (i + 0.5) * step)} ${foot})`;
      new Mark("path", this.group, {
        class: `arrow ${kind}`,
        transform: place,
        d: paths.path(i / decades, true),
      });
    }
    const below = foot + 13 * scale;
    this.low = new Mark("text", this.group, { class: "tick", x, y: below });
    this.high = new Mark("text", this.group, {
      class: "tick",
      x: x + (decades + 1) * step,
      y: below,
      "text-anchor": "end",
    });
    const left = x + (decades + 1) * step + (narrow ? 12 : 9) * scale;
    this.title = new Mark("text", this.group, {
      class: `title ${kind}`,
      x: left,
      y: y - 4 * scale,
    });
    this.words = new Mark("text", this.group, { class: "words", x: left, y: y + 12 * scale });
  }

  /** @param {{bound: number, floor: number}} scale */
  scale({ bound, floor }) {
    this.low.say(powerText(floor));
    this.high.say(powerText(bound));
  }

  /** @param {string} words @param {string} state */
  say(words, state) {
    this.words.say(words);
    this.group.set("data-state", state);
  }
}
