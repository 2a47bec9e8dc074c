// The rows of the charts: step, loss, validation loss and gradient norms, at most CAPACITY of them.
// Pure: knows nothing about drawing or where rows come from. Each row is one stored record.
// Thinning
// only leaves rows out, never one that holds the smallest or largest value of its neighbourhood.
//
// ChartRows is an immutable value over arrays that only grow. All values that grew from each other
// share one set of arrays, and each sees its own first `length` rows. The newest of them may write
// behind its rows without any of the others seeing it; everything else is done in a copy. So adding
// a row costs one small object, and no value ever changes (docs/decisions/0015-pure-chart-rows.md).

import { norm, numberOf } from "../lib/number.js";

/** @import { ChartRows, Chunk, Layout, Series, StepRange } from "../types.js" */

const CAPACITY = 6144; // rows; a chart is some hundred pixels wide

/**
 * Arrays that are being written, before they become a value.
 * @typedef {Object} Draft
 * @property {Float64Array} steps
 * @property {Float64Array} loss
 * @property {Float64Array} validation
 * @property {Float64Array[]} norms
 * @property {Float64Array[]} lines loss, validation and norms
 * @property {number} length
 * @property {number} borrowed rows that other values see, so that they must not be overwritten
 * @property {{used: number}} shared
 */

/** @param {number} parameters @param {number} capacity @returns {Draft} */
function createDraft(parameters, capacity) {
  const line = () => new Float64Array(capacity);
  const norms = Array.from({ length: parameters }, line);
  return draftOver({ steps: line(), loss: line(), validation: line(), norms });
}

/** @param {Pick<ChartRows, "steps"|"loss"|"validation"|"norms">} arrays @returns {Draft} */
function draftOver({ steps, loss, validation, norms }) {
  const lines = [loss, validation, ...norms];
  return { steps, loss, validation, norms, lines, length: 0, borrowed: 0, shared: { used: 0 } };
}

/**
 * A draft that goes on from a value: over its arrays when it is the newest, else over a copy.
 * @param {ChartRows} rows
 * @returns {Draft}
 */
function draftFrom(rows) {
  const { length, shared } = rows;
  const draft = { ...draftOver(rows), length, borrowed: length, shared };
  if (shared.used > length) own(draft);
  return draft;
}

/** Give a draft arrays of its own. @param {Draft} draft */
function own(draft) {
  const [steps, loss, validation, ...norms] = [draft.steps, ...draft.lines].map((a) => a.slice());
  Object.assign(draft, draftOver({ steps, loss, validation, norms }), { length: draft.length });
}

/** @param {Draft} draft @returns {ChartRows} */
function finish({ steps, loss, validation, norms, length, shared }) {
  shared.used = length;
  return { steps, loss, validation, norms, length, shared };
}

/** @param {number} parameters @param {number} [capacity] @returns {ChartRows} */
export const createChartRows = (parameters, capacity = CAPACITY) =>
  finish(createDraft(parameters, capacity));

/**
 * These rows and the records of a frame behind them.
 * @param {ChartRows} rows
 * @param {Layout} layout
 * @param {number} first step of the first record
 * @param {Float32Array} values
 * @returns {ChartRows}
 */
export function appendRecords(rows, layout, first, values) {
  const draft = draftFrom(rows);
  writeRecords(draft, layout, first, values);
  return finish(draft);
}

/**
 * @param {Draft} draft
 * @param {Layout} layout
 * @param {number} first
 * @param {Float32Array} values
 */
function writeRecords(draft, layout, first, values) {
  const loss = layout.scalars.get("loss") ?? 0;
  const validation = layout.scalars.get("validation_loss");
  const count = values.length / layout.floats;
  for (let i = 0; i < count; i++) {
    const at = i * layout.floats;
    const row = openRow(draft, first + i);
    draft.loss[row] = values[at + loss];
    draft.validation[row] = validation === undefined ? NaN : values[at + validation];
    layout.parameters.forEach(({ gradient, size }, p) => {
      draft.norms[p][row] = norm(values, at + gradient, size);
    });
  }
}

/**
 * Make room for one row behind all rows of smaller steps. A run that goes on from an older step
 * writes the steps after it anew, so rows of equal and larger steps go.
 * @param {Draft} draft
 * @param {number} step
 * @returns {number} its place
 */
function openRow(draft, step) {
  while (draft.length > 0 && draft.steps[draft.length - 1] >= step) draft.length--;
  if (draft.length === draft.steps.length) thin(draft);
  if (draft.length < draft.borrowed) own(draft);
  draft.steps[draft.length] = step;
  return draft.length++;
}

/**
 * Leave out at least half of the rows. Ranges of equally many steps keep equally many rows, the
 * extremes of every line first.
 * @param {Draft} draft
 */
function thin(draft) {
  if (draft.borrowed > 0) own(draft);
  const { steps, lines } = draft;
  const most = 2 * lines.length + 1; // rows of a range that stay
  const ranges = Math.max(1, Math.floor(steps.length / 2 / most));
  const begin = steps[0];
  const span = (steps[draft.length - 1] + 1 - begin) / ranges;
  let kept = 0;
  for (let from = 0; from < draft.length; ) {
    const range = Math.floor((steps[from] - begin) / span);
    let to = from + 1;
    while (to < draft.length && Math.floor((steps[to] - begin) / span) === range) to++;
    for (const row of chosen(lines, from, to, most)) moveRow(draft, row, kept++);
    from = to;
  }
  draft.length = kept;
}

/**
 * @param {Float64Array[]} lines
 * @param {number} from
 * @param {number} to
 * @param {number} most
 * @returns {number[]} rows in order
 */
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

/** @param {Draft} draft @param {number} from @param {number} to */
function moveRow({ steps, lines }, from, to) {
  steps[to] = steps[from];
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
 * The past as `GET /series` answers it, and behind it what came live since. Each series was thinned
 * by itself, so it has steps of its own.
 * @param {ChartRows} live
 * @param {Layout} layout
 * @param {Series[]} series
 * @returns {ChartRows}
 */
export function joinPast(live, layout, series) {
  const past = createDraft(layout.parameters.length, live.steps.length);
  const byName = new Map(series.map((line) => [line.name, line]));
  const steps = [...new Set(series.flatMap((line) => line.steps))].sort((a, b) => a - b);
  seriesNames(layout).forEach((name, i) => {
    fill(past, past.lines[i], byName.get(name), steps);
  });
  writeRows(past, live, steps.at(-1) ?? -1);
  return finish(past);
}

/**
 * @param {Draft} past
 * @param {Float64Array} line
 * @param {Series|undefined} series
 * @param {number[]} steps
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

/**
 * @param {Draft} target
 * @param {ChartRows} source
 * @param {number} after only rows of later steps
 */
function writeRows(target, source, after) {
  const from = linesOf(source);
  for (let row = 0; row < source.length; row++) {
    if (source.steps[row] <= after) continue;
    const place = openRow(target, source.steps[row]);
    target.lines.forEach((line, i) => {
      line[place] = from[i][row];
    });
  }
}

/** @param {ChartRows} rows */
const linesOf = ({ loss, validation, norms }) => [loss, validation, ...norms];

/**
 * The rows of both, in step order. Where both have a step, `found` goes first; what is NaN there
 * comes from `live`.
 * @param {ChartRows} live
 * @param {ChartRows} found
 * @returns {ChartRows}
 */
function merge(live, found) {
  const merged = createDraft(live.norms.length, live.steps.length);
  const [mine, theirs] = [live, found].map(linesOf);
  for (let a = 0, b = 0; a < live.length || b < found.length; ) {
    const one = a < live.length ? live.steps[a] : Infinity;
    const other = b < found.length ? found.steps[b] : Infinity;
    const row = openRow(merged, Math.min(one, other));
    const isFound = other <= one;
    merged.lines.forEach((line, i) => {
      const value = isFound ? theirs[i][b] : NaN;
      line[row] = Number.isNaN(value) && one <= other ? mine[i][a] : value;
    });
    if (one <= other) a++;
    if (isFound) b++;
  }
  return finish(merged);
}

/**
 * Records that the stream left out, each as a row in its place.
 * @param {ChartRows} live
 * @param {Layout} layout
 * @param {Chunk[]} chunks
 * @param {StepRange} wanted
 */
export function insertRecords(live, layout, chunks, { from, to }) {
  const count = chunks.reduce((sum, { values }) => sum + values.length / layout.floats, 0);
  const found = createDraft(layout.parameters.length, Math.max(count, 1));
  for (const { first, values } of chunks) {
    const [begin, end] = [Math.max(from - first, 0), Math.max(to + 1 - first, 0)];
    const rows = values.subarray(begin * layout.floats, end * layout.floats);
    writeRecords(found, layout, first + begin, rows);
  }
  return merge(live, finish(found));
}

/**
 * A thinned range of steps that the stream left out, in its place.
 * @param {ChartRows} live
 * @param {Layout} layout
 * @param {Series[]} series
 * @param {StepRange} wanted
 */
export function insertSeries(live, layout, series, { to }) {
  const none = createChartRows(layout.parameters.length, live.steps.length);
  const found = joinPast(none, layout, series);
  let { length } = found;
  while (length > 0 && found.steps[length - 1] > to) length--;
  return merge(live, { ...found, length });
}
