// The shape of the timeline: the loss as one outline on a log axis, thinned ranges, and the last
// step. Pure.

import { stepText } from "../../lib/format.js";

/** @import { ChartRows } from "../../types.js" */

const COLUMNS = 500;
const WIDTH = 1000;
const HEIGHT = 100;

/**
 * The last step of the timeline: a round number, so that it seldom changes while training runs.
 * @param {number} begin
 * @param {number} newest
 * @param {number} most
 */
export function reach(begin, newest, most) {
  const steps = Math.max(newest - begin, 20);
  const power = 10 ** Math.floor(Math.log10(steps));
  const round =
    [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((digit) => digit * power).find((one) => one >= steps) ??
    steps;
  return Math.max(Math.min(begin + round, most), newest, begin + 1);
}

/**
 * The thinned ranges, which lie between the exact ones. Steps that came after the exact ranges were
 * asked for are kept.
 * @param {[number, number][]|null} exact
 * @param {number} begin
 * @returns {[number, number][]}
 */
export function thinned(exact, begin) {
  const gaps = (exact ?? []).map(
    ([from], i, all) => /** @type {[number, number]} */ ([i === 0 ? begin : all[i - 1][1], from]),
  );
  return gaps.filter(([from, to]) => to - from > 1);
}

/**
 * Which steps retention keeps of a range.
 * @param {number} from kept
 * @param {number} to kept
 */
export const thinnedText = (from, to) =>
  `Thinned out: of steps ${stepText(from)} to ${stepText(to)}, kept are ${stepText(from)}, ` +
  `every 256th, ${stepText(to)}, the best so far, and those that other runs continue`;

/**
 * The largest loss of each column, from step `begin` to `end`.
 * @param {ChartRows} rows
 * @param {number} begin
 * @param {number} end
 */
export function outline({ steps, loss, length }, begin, end) {
  const columns = new Float64Array(COLUMNS + 1);
  let [low, high] = [Infinity, 0];
  for (let i = 0; i < length; i++) {
    if (!(loss[i] > 0) || loss[i] === Infinity) continue;
    const column = Math.min(COLUMNS, Math.round(((steps[i] - begin) / (end - begin)) * COLUMNS));
    columns[column] = Math.max(columns[column], loss[i]);
    low = Math.min(low, loss[i]);
    high = Math.max(high, loss[i]);
  }
  return high > 0 ? pathOf(columns, Math.log(low), Math.log(high)) : "";
}

/** @param {Float64Array} columns @param {number} low @param {number} high */
function pathOf(columns, low, high) {
  let path = "";
  let last = 0;
  columns.forEach((value, i) => {
    if (value === 0) return;
    const share = high > low ? (Math.log(value) - low) / (high - low) : 1;
    last = (i / COLUMNS) * WIDTH;
    if (path === "") path = `M${last} ${HEIGHT}`;
    path += `L${last} ${(HEIGHT - (0.08 + 0.86 * share) * HEIGHT).toFixed(1)}`;
  });
  return `${path}L${last} ${HEIGHT}Z`;
}
