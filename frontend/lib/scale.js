// Scales that stay the same while the numbers change a little, and round numbers for axes. Knows
// nothing about colours, pixels or time.

/**
 * How many updates in a row must fit a smaller scale before it shrinks: 2 s at 60 updates a second.
 */
const PATIENCE = 120;

/** Bounds that are easy to read in a legend. */
const NICE = [1, 1.5, 2, 3, 4, 5, 6, 8, 10];

/** The smallest such bound that is not below `value`. @param {number} value positive */
export function niceAbove(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = value / power;
  const nice = NICE.find((candidate) => candidate >= digit - 1e-9) ?? 10;
  return Number((nice * power).toPrecision(3));
}

/** How much too large a scale may be for a past step that is played or dragged past. */
const SLACK = 10;

/**
 * A bound that grows at once, and shrinks only after `patience` updates in a row would have fitted
 * a smaller one. A past step that is looked at has a bound of its own, whatever was shown before.
 * @param {(magnitude: number) => number} round magnitude → the bound to print
 * @param {number} start
 * @param {number} patience
 */
function steady(round, start, patience) {
  let bound = start;
  let untouched = true;
  let quiet = 0;
  let peak = 0;
  /** @param {number} to */
  const settle = (to) => {
    bound = to;
    untouched = false;
    quiet = 0;
    peak = 0;
  };
  /** @param {number} magnitude the largest of this moment */
  function update(magnitude) {
    if (!Number.isFinite(magnitude) || magnitude <= 0) return bound;
    if (untouched || magnitude > bound) settle(round(magnitude));
    else if (round(magnitude) >= bound) quiet = peak = 0;
    else {
      peak = Math.max(peak, magnitude);
      if (++quiet >= patience) settle(round(peak));
    }
    return bound;
  }
  return {
    get bound() {
      return bound;
    },
    update,
    /** @param {number} magnitude @param {Look} look */
    fit(magnitude, look) {
      const isFar = look === "passing" && round(magnitude) * SLACK < bound;
      if (look === "resting" || isFar) untouched = true;
      if (untouched && !(magnitude > 0 && magnitude < Infinity)) bound = start;
      return update(magnitude);
    },
  };
}

/**
 * live: the newest step; resting: a past step that is looked at; passing: one of several that are
 * played or dragged past.
 * @typedef {"live"|"resting"|"passing"} Look
 */

/**
 * A linear scale from −bound to bound. `update(largest magnitude)` returns the bound.
 * @param {number} [patience]
 */
export function steadyScale(patience = PATIENCE) {
  // A tenth larger than needed, so that slow growth does not change the scale at every step.
  return steady((magnitude) => niceAbove(magnitude * 1.1), 1, patience);
}

/**
 * A logarithmic scale of whole powers of ten: `decades` of them, up to its steady bound.
 * @param {number} [decades]
 * @param {number} [patience]
 */
export function steadyLogScale(decades = 5, patience = PATIENCE) {
  const scale = steady((magnitude) => 10 ** Math.ceil(Math.log10(magnitude) - 1e-9), 1, patience);
  return {
    decades,
    get bound() {
      return scale.bound;
    },
    get floor() {
      return scale.bound / 10 ** decades;
    },
    update: scale.update,
    fit: scale.fit,
    /**
     * From 0 at the floor to 1 at the bound; −1 below the floor and for NaN.
     * @param {number} magnitude
     */
    fraction(magnitude) {
      const share = 1 + Math.log10(magnitude / scale.bound) / decades;
      return share >= 0 ? Math.min(share, 1) : -1;
    },
  };
}

/**
 * Round numbers between two ends, about `count` of them.
 * @param {number} from
 * @param {number} to
 * @param {number} [count]
 */
export function ticks(from, to, count = 5) {
  const span = to - from;
  if (!(span > 0) || !Number.isFinite(span)) return [];
  const step = tickStep(span / count);
  const found = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

/** @param {number} rough */
function tickStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const digit = rough / power;
  return power * (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10);
}
