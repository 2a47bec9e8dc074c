// Holds what one drawing of the network needs from the state: the numbers, and their scales. Knows
// nothing about elements or pixels.

import { steadyLogScale, steadyScale } from "../../lib/scale.js";

/** @import { Look } from "../../lib/scale.js" */
/** @import { GradState, Layout, Moment, State } from "../../types.js" */

/** Arrows span so many powers of ten. A smaller number has no arrow. */
const DECADES = 4;

/**
 * One object for each run that is drawn. It is refilled for every moment, so that drawing allocates
 * nothing.
 */
export class Picture {
  // Biases have a scale of their own: they grow far beyond the weights when units move along the
  // input.
  #live = scales();
  #past = scales();
  /** Those of the newest step, or those of past steps. */
  #scales = this.#live;
  /** @type {Look} */
  look = "live";
  dark = false;
  /**
   * Names for screen readers are kept up to date only while nothing runs.
   */
  isAtRest = true;
  /** Whether .grad and Δ belong to one iteration, so that both may be drawn. */
  hasChanges = false;
  /** Whether no parameter is NaN or infinite, so that every change has a sign. */
  areAllFinite = true;
  /** How many changes go against their −.grad. Counted while drawing. */
  disagreements = 0;

  /** @param {Layout} layout */
  constructor(layout) {
    this.layout = layout;
    /** @type {Float32Array} */
    this.values = new Float32Array(layout.floats);
    /** @type {Float32Array|null} */
    this.before = null;
    /** @type {GradState[]} */
    this.gradStates = [];
    /** @type {Moment|null} */
    this.moment = null;
  }

  get weights() {
    return this.#scales.weights;
  }
  get biases() {
    return this.#scales.biases;
  }
  get gradients() {
    return this.#scales.gradients;
  }
  get changes() {
    return this.#scales.changes;
  }

  /** @param {State} state @param {Moment} moment */
  take(state, moment) {
    this.dark = state.dark;
    this.isAtRest = isAtRest(state);
    this.disagreements = 0;
    const look = lookOf(state, moment);
    if (moment === this.moment && look === this.look) return;
    this.moment = moment;
    this.look = look;
    this.#scales = look === "live" ? this.#live : this.#past;
    this.values = moment.values;
    this.before = moment.before;
    this.gradStates = moment.gradStates;
    this.hasChanges = moment.phase === "step" && moment.before !== null;
    this.areAllFinite = this.layout.parameters.every(({ value, size }) =>
      moment.values.subarray(value, value + size).every(Number.isFinite),
    );
    this.#rescale();
  }

  /** @param {number} parameter @param {number} index */
  value(parameter, index) {
    return this.values[this.layout.parameters[parameter].value + index];
  }

  /** NaN when there is none. @param {number} parameter @param {number} index */
  gradient(parameter, index) {
    if (this.gradStates[parameter] === "none") return NaN;
    return this.values[this.layout.parameters[parameter].gradient + index];
  }

  /** After − before; NaN when not known. @param {number} parameter @param {number} index */
  change(parameter, index) {
    if (this.before === null) return NaN;
    const at = this.layout.parameters[parameter].value + index;
    return this.values[at] - this.before[at];
  }

  /** @param {number} parameter @returns {GradState} */
  gradState(parameter) {
    return this.gradStates[parameter] ?? "none";
  }

  /** The magnitude that gets the full colour. @param {number} parameter */
  bound(parameter) {
    return (isBias(parameter) ? this.biases : this.weights).bound;
  }

  /** Parameters of a kind share one scale, so that they can be compared. */
  #rescale() {
    let [weight, bias, gradient, change] = [0, 0, 0, 0];
    this.layout.parameters.forEach(({ size }, parameter) => {
      for (let i = 0; i < size; i++) {
        if (isBias(parameter)) bias = larger(bias, this.value(parameter, i));
        else weight = larger(weight, this.value(parameter, i));
        gradient = larger(gradient, this.gradient(parameter, i));
        change = larger(change, this.change(parameter, i));
      }
    });
    this.weights.fit(weight, this.look);
    this.biases.fit(bias, this.look);
    this.gradients.fit(gradient, this.look);
    if (this.hasChanges) this.changes.fit(change, this.look);
  }
}

const scales = () => ({
  weights: steadyScale(),
  biases: steadyScale(),
  gradients: steadyLogScale(DECADES),
  changes: steadyLogScale(DECADES),
});

/** @param {State} state @param {Moment} moment @returns {Look} */
function lookOf({ visited }, moment) {
  if (visited?.moment !== moment) return "live";
  return visited.isMoving ? "passing" : "resting";
}

/** Nothing runs, and the timeline is not dragged or played. @param {State} state */
export const isAtRest = ({ run, visited }) => run?.state !== "running" && !visited?.isMoving;

/**
 * In named_parameters() of linear layers, weights and biases alternate.
 * @param {number} parameter
 */
const isBias = (parameter) => parameter % 2 === 1;

/**
 * The larger magnitude. Numbers that are not finite are passed over.
 * @param {number} most
 * @param {number} value
 */
function larger(most, value) {
  const size = Math.abs(value);
  return size > most && size < Infinity ? size : most;
}
