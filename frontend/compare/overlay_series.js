// The lines of several runs in one chart: one axis of steps for them, and their styles. Pure.

import { numberOf } from "../lib/number.js";

/** @import { Line, PlotRows } from "../views/chart.js" */
/** @import { Run, Series } from "../types.js" */

/** The second differs from the dash of the validation loss. */
const DASHES = [undefined, [2, 3], [9, 3, 2, 3], [7, 4], [4, 6]];

/** The names of named layers. The server accepts them for numbered layers too. */
export const PARAMETERS = [
  "hidden_linear.weight",
  "hidden_linear.bias",
  "output_linear.weight",
  "output_linear.bias",
];
export const SERIES = ["loss", ...PARAMETERS.map((name) => `gradient_norm/${name}`)];

/**
 * The line style of the i-th of several runs: a dash, and a colour mixed with the text's.
 * @param {string} colour
 * @param {number} i
 */
export const lookOf = (colour, i) => ({
  colour: `color-mix(in oklab, ${colour} ${100 - (i % 4) * 28}%, var(--ink))`,
  dash: DASHES[i % DASHES.length],
});

/** Add the id to the names of runs that share a name. @param {Run[]} runs */
export function distinct(runs) {
  const count = (/** @type {string} */ name) => runs.filter((run) => run.name === name).length;
  return runs.map((run) =>
    count(run.name) > 1 ? { ...run, name: `${run.name} (${run.id})` } : run,
  );
}

/**
 * Put series on one axis of steps; NaN where a series has no value.
 * @param {Series[]} series
 * @returns {PlotRows}
 */
export function overlay(series) {
  return withOverlays({ steps: [], lines: [], length: 0 }, series);
}

/**
 * Add series to the lines of a chart, on one axis of steps; NaN where a line has no value.
 * @param {PlotRows} rows @param {Series[]} series @returns {PlotRows}
 */
export function withOverlays({ steps, lines, length }, series) {
  if (series.length === 0) return { steps, lines, length };
  const own = Array.prototype.slice.call(steps, 0, length);
  const all = [...new Set([...own, ...series.flatMap((one) => one.steps)])].sort((a, b) => a - b);
  const row = new Map(all.map((step, i) => [step, i]));
  const spread = (
    /** @type {ArrayLike<number>} */ at,
    /** @type {(i: number) => number} */ value,
  ) => {
    const line = new Float64Array(all.length).fill(NaN);
    for (let i = 0; i < at.length; i++) line[row.get(at[i]) ?? 0] = value(i);
    return line;
  };
  const mine = lines.map((line) => spread(own, (i) => line[i]));
  const others = series.map((one) => spread(one.steps, (i) => numberOf(one.values[i])));
  return { steps: all, lines: [...mine, ...others], length: all.length };
}

/**
 * A series' value at a step, or at the nearest earlier step that it has.
 * @param {Series} series
 * @param {number} step
 */
export function valueAt({ steps, values }, step) {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle + 1;
    else high = middle;
  }
  return low === 0 || step > (steps.at(-1) ?? -1) ? NaN : numberOf(values[low - 1]);
}
