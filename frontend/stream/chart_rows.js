// What the charts show of a run: rows of (step, loss, validation loss, gradient norms), bounded.
// Pure: knows nothing about drawing or where rows come from. Every row is one true record; thinning only leaves
// rows out, and never one that holds the smallest or the largest value of a line in its neighbourhood.

import { numberOf } from "./protocol.js";
/** @import { Chunk, Series } from "../time/record_cache.js" */
/** @import { Stretch } from "./backfill.js" */
/** @import { ChartRows, Layout, Scalar } from "../types.js" */

export const CAPACITY = 6144; // rows; a chart is some hundred pixels wide

/** @param {number} parameters @param {number} [capacity] @returns {ChartRows} */
export function createChartRows(parameters, capacity = CAPACITY) {
  const line = () => new Float64Array(capacity);
  const norms = Array.from({ length: parameters }, line);
  return { steps: line(), loss: line(), validation: line(), norms, length: 0 };
}

/** @param {ChartRows} rows */
function linesOf(rows) {
  return [rows.loss, rows.validation, ...rows.norms];
}

/**
 * Add the records of a frame.
 * @param {ChartRows} rows
 * @param {Layout} layout
 * @param {number} first step of the first record
 * @param {Float32Array} values
 */
export function appendRecords(rows, layout, first, values) {
  const loss = layout.scalars.get("loss") ?? 0;
  const validation = layout.scalars.get("validation_loss");
  const count = values.length / layout.floats;
  for (let i = 0; i < count; i++) {
    const at = i * layout.floats;
    const row = openRow(rows, first + i);
    rows.loss[row] = values[at + loss];
    rows.validation[row] = validation === undefined ? NaN : values[at + validation];
    layout.parameters.forEach(({ gradient, size }, p) => {
      rows.norms[p][row] = norm(values, at + gradient, size);
    });
  }
}

/**
 * Make room for one row, after all rows of smaller steps: a run that goes on from an older step rewrites its future.
 * @param {ChartRows} rows @param {number} step @returns {number} its place
 */
function openRow(rows, step) {
  while (rows.length > 0 && rows.steps[rows.length - 1] >= step) rows.length--;
  if (rows.length === rows.steps.length) thin(rows);
  rows.steps[rows.length] = step;
  return rows.length++;
}

/** Euclidean norm; NaN when the gradient is None. @param {ArrayLike<number>} values @param {number} from @param {number} size */
export function norm(values, from, size) {
  let sum = 0;
  for (let i = from; i < from + size; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}

/**
 * Leave out at least half of the rows: stretches of equally many steps keep equally many, every line's extremes first.
 * @param {ChartRows} rows
 */
export function thin(rows) {
  const lines = linesOf(rows);
  const most = 2 * lines.length + 1; // rows of a stretch that stay
  const stretches = Math.max(1, Math.floor(rows.steps.length / 2 / most));
  const begin = rows.steps[0];
  const span = (rows.steps[rows.length - 1] + 1 - begin) / stretches;
  let kept = 0;
  for (let from = 0; from < rows.length; ) {
    const stretch = Math.floor((rows.steps[from] - begin) / span);
    let to = from + 1;
    while (to < rows.length && Math.floor((rows.steps[to] - begin) / span) === stretch) to++;
    for (const row of chosen(lines, from, to, most)) moveRow(rows, lines, row, kept++);
    from = to;
  }
  rows.length = kept;
}

/** @param {Float64Array[]} lines @param {number} from @param {number} to @param {number} most @returns {number[]} rows in order */
function chosen(lines, from, to, most) {
  const rows = extremes(lines, from, to);
  const room = Math.min(most, to - from);
  for (let i = 0; rows.size < room && i < room; i++)
    rows.add(from + Math.floor((i * (to - from)) / room));
  return [...rows].sort((a, b) => a - b);
}

/** @param {Float64Array[]} lines @param {number} from @param {number} to */
function extremes(lines, from, to) {
  const rows = new Set([from]);
  for (const line of lines) {
    let low = -1;
    let high = -1;
    for (let i = from; i < to; i++) {
      if (!Number.isFinite(line[i])) continue;
      if (low < 0 || line[i] < line[low]) low = i;
      if (high < 0 || line[i] > line[high]) high = i;
    }
    if (low >= 0) rows.add(low).add(high);
  }
  return rows;
}

/** @param {ChartRows} rows @param {Float64Array[]} lines @param {number} from @param {number} to */
function moveRow(rows, lines, from, to) {
  rows.steps[to] = rows.steps[from];
  for (const line of lines) line[to] = line[from];
}

/**
 * The names to ask `GET /series` for.
 * @param {Layout} layout
 */
export function seriesNames(layout) {
  return [
    "loss",
    "validation_loss",
    ...layout.parameters.map(({ name }) => `gradient_norm/${name}`),
  ];
}

/**
 * Take the past as `GET /series` answers it, and behind it what has been seen live since.
 * @param {ChartRows} live
 * @param {Layout} layout
 * @param {{name: string, steps: number[], values: Scalar[]}[]} series each thinned by itself, so with steps of its own
 * @returns {ChartRows}
 */
export function joinPast(live, layout, series) {
  const past = createChartRows(layout.parameters.length, live.steps.length);
  const byName = new Map(series.map((line) => [line.name, line]));
  const steps = [...new Set(series.flatMap((line) => line.steps))].sort((a, b) => a - b);
  const lines = linesOf(past);
  seriesNames(layout).forEach((name, i) => fill(past, lines[i], byName.get(name), steps));
  return appendRows(past, live, steps.at(-1) ?? -1);
}

/**
 * @param {ChartRows} past @param {Float64Array} line
 * @param {{steps: number[], values: Scalar[]}|undefined} series @param {number[]} steps
 */
function fill(past, line, series, steps) {
  const values = new Map(series?.steps.map((step, i) => [step, numberOf(series.values[i])]));
  const room = steps.slice(-past.steps.length);
  past.length = room.length;
  room.forEach((step, row) => {
    past.steps[row] = step;
    line[row] = values.get(step) ?? NaN;
  });
}

/** @param {ChartRows} target @param {ChartRows} source @param {number} after rows of later steps */
function appendRows(target, source, after) {
  const from = linesOf(source);
  const to = linesOf(target);
  for (let row = 0; row < source.length; row++) {
    if (source.steps[row] <= after) continue;
    const place = openRow(target, source.steps[row]);
    to.forEach((line, i) => (line[place] = from[i][row]));
  }
  return target;
}

/**
 * What was missed, in its place: one history of both, in step order. Where both have a step, a number of either.
 * @param {ChartRows} live @param {ChartRows} found @returns {ChartRows}
 */
export function merge(live, found) {
  const merged = createChartRows(live.norms.length, live.steps.length);
  const [lines, mine, theirs] = [merged, live, found].map(linesOf);
  for (let a = 0, b = 0; a < live.length || b < found.length; ) {
    const one = a < live.length ? live.steps[a] : Infinity;
    const other = b < found.length ? found.steps[b] : Infinity;
    const row = openRow(merged, Math.min(one, other));
    const isFound = other <= one;
    lines.forEach((line, i) => {
      const value = isFound ? theirs[i][b] : NaN;
      line[row] = Number.isNaN(value) && one <= other ? mine[i][a] : value;
    });
    if (one <= other) a++;
    if (isFound) b++;
  }
  return merged;
}

/** Records that were missed, each a row. @param {ChartRows} live @param {Layout} layout @param {Chunk[]} chunks @param {Stretch} wanted */
export function insertRecords(live, layout, chunks, { from, to }) {
  const count = chunks.reduce((sum, { values }) => sum + values.length / layout.floats, 0);
  const found = createChartRows(layout.parameters.length, Math.max(count, 1));
  for (const { first, values } of chunks) {
    const [begin, end] = [Math.max(from - first, 0), Math.max(to + 1 - first, 0)];
    appendRecords(
      found,
      layout,
      first + begin,
      values.subarray(begin * layout.floats, end * layout.floats),
    );
  }
  return merge(live, found);
}

/** A thinned stretch, between what is there. @param {ChartRows} live @param {Layout} layout @param {Series[]} series @param {Stretch} wanted */
export function insertSeries(live, layout, series, { to }) {
  const found = joinPast(
    createChartRows(layout.parameters.length, live.steps.length),
    layout,
    series,
  );
  while (found.length > 0 && found.steps[found.length - 1] > to) found.length--;
  return merge(live, found);
}
