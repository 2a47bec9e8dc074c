// Reads the run that is stored in this file: its facts, and its records as a source for the record
// cache. Knows nothing about views.

import { layoutOf } from "../stream/protocol.js";
/** @import { Source } from "../time/record_cache.js" */
/** @import { Chunk, Layout, LoopSource, Run, RunData, Series } from "../types.js" */

/**
 * @typedef {Object} Facts
 * @property {Run} run
 * @property {RunData} data
 * @property {import("../types.js").Column[]} columns
 * @property {number} record_bytes
 * @property {LoopSource} loop
 * @property {Series[]} series
 * @property {[first: number, count: number][]} stretches consecutive steps in this file, in order
 * @property {number} steps that the run had
 * @property {number} size_bytes the largest size that was asked for
 */

/**
 * @typedef {Object} Recording
 * @property {Facts} facts
 * @property {Layout} layout
 * @property {Source} source
 * @property {Chunk[]} chunks
 * @property {number[]} moments
 */

/** @param {Facts} facts @param {string} base64 @returns {Recording} */
export function recordingOf(facts, base64) {
  const layout = /** @type {Layout} */ (layoutOf(facts.columns, facts.record_bytes));
  const values = floatsOf(base64);
  let at = 0;
  const chunks = facts.stretches.map(([first, count]) => {
    const length = count * layout.floats;
    at += length;
    return { first, values: values.subarray(at - length, at) };
  });
  return {
    facts,
    layout,
    chunks,
    source: sourceOf(chunks, layout, facts.series),
    moments: momentsOf(facts),
  };
}

/** @param {string} base64 */
function floatsOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new Float32Array(bytes.buffer);
}

/**
 * The steps that can be shown with their change: those whose step before is in this file too.
 * @param {Facts} facts
 */
function momentsOf({ stretches }) {
  return stretches.flatMap(([first, count], i) =>
    Array.from({ length: count }, (_, row) => first + row).slice(i === 0 || count === 1 ? 0 : 1),
  );
}

/** @param {Chunk[]} chunks @param {Layout} layout @param {Series[]} series @returns {Source} */
function sourceOf(chunks, { floats }, series) {
  const lastOf = (/** @type {Chunk} */ { first, values }) => first + values.length / floats - 1;
  return {
    records: async (from, to) =>
      chunks
        .filter((chunk) => chunk.first <= to && lastOf(chunk) >= from)
        .map(({ first, values }) => {
          const start = Math.max(from, first);
          return {
            first: start,
            values: values.slice((start - first) * floats, (to + 1 - first) * floats),
          };
        }),
    series: async (names, from, to) =>
      series.filter(({ name }) => names.includes(name)).map((line) => within(line, from, to)),
    exact: async () => chunks.map((chunk) => [chunk.first, lastOf(chunk)]),
    nearest: async (step) => {
      const before = chunks.filter(({ first }) => first <= step).at(-1);
      const after = chunks.find(({ first }) => first > step);
      return [...(before ? [Math.min(lastOf(before), step)] : []), ...(after ? [after.first] : [])];
    },
  };
}

/** @param {Series} line @param {number} from @param {number} to @returns {Series} */
function within({ name, steps, values }, from, to) {
  const rows = steps.flatMap((step, row) => (step >= from && step <= to ? [row] : []));
  return { name, steps: rows.map((row) => steps[row]), values: rows.map((row) => values[row]) };
}

/**
 * The step to show when one is asked for: the step itself, or the next one in this file.
 * @param {number[]} moments in order
 * @param {number} wanted
 * @param {number} way −1: the step before, 1: the step after, 0: the nearest
 */
export function snapped(moments, wanted, way) {
  let [low, high] = [0, moments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moments[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  const after = moments[low] ?? moments[moments.length - 1];
  const before = after === wanted ? after : (moments[low - 1] ?? moments[0]);
  if (way !== 0) return way > 0 ? after : before;
  return Math.abs(after - wanted) < Math.abs(wanted - before) ? after : before;
}
