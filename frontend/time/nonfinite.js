// Finds the first number of a run that is not finite, once the newest one is not. Fetched when that
// first happens. Follows the state; knows nothing about the notice that says it.

import { elementName } from "../lib/format.js";
import { gradStatesIn } from "../stream/record.js";

/** @import { Source } from "./record_cache.js" */
/**
 * @import { ChartRows, Chunk, Layout, Nonfinite, SetTimer, StepRange, Store } from "../types.js"
 */

const AT_ONCE = 512; // steps of one request
const RETRY_MS = 2000;

/**
 * @param {Object} dependencies
 * @param {Store} dependencies.store
 * @param {(id: string, layout: Layout) => Pick<Source, "records">} dependencies.sourceOf
 * @param {SetTimer} dependencies.setTimer
 */
export function createNonfiniteFinder({ store, sourceOf, setTimer }) {
  let isSearching = false;

  function follow() {
    const { diverged, nonfinite, rows, run, layout } = store.state;
    if (!diverged || nonfinite !== null || isSearching) return;
    if (run === null || layout === null || rows === null) return;
    isSearching = true;
    const first = run.first_step ?? 0;
    search(sourceOf(run.id, layout), layout, placeOf(rows, first, run.step), first).then(
      (found) => end(run.id, found),
      () => end(run.id, null),
    );
  }

  /** @param {string} id @param {Nonfinite|null} found */
  function end(id, found) {
    const again = () => {
      isSearching = false;
      follow();
    };
    if (store.state.run?.id !== id) return again();
    if (found === null) return void setTimer(again, RETRY_MS);
    isSearching = false;
    store.dispatch({ type: "nonfinite", nonfinite: found });
  }

  return { follow };
}

/**
 * The steps among which the first such number is, by the charts. They may leave out steps, and they
 * do not hold the parameters, which an update may break before the next loss shows it.
 * @param {ChartRows} rows
 * @param {number} first step
 * @param {number} newest step
 * @returns {StepRange}
 */
export function placeOf({ steps, loss, norms, length }, first, newest) {
  const isBroken = (/** @type {number} */ i) =>
    steps[i] > 0 && ![loss, ...norms].every((line) => Number.isFinite(line[i]));
  let at = 0;
  while (at < length && !isBroken(at)) at++;
  const before = at === 0 ? first : steps[at - 1] - 1; // a finite loss: finite parameters before it
  return { from: Math.max(first, before), to: at < length ? steps[at] : newest };
}

/**
 * @param {Pick<Source, "records">} source
 * @param {Layout} layout
 * @param {StepRange} range
 * @param {number} first step of the run
 * @returns {Promise<Nonfinite|null>}
 */
async function search(source, layout, { from, to }, first) {
  /** @type {number|null} */
  let finite = null;
  for (let begin = from; begin <= to; begin += AT_ONCE) {
    const chunks = await source.records(begin, Math.min(begin + AT_ONCE - 1, to));
    const found = firstIn(chunks, layout, finite);
    const { nonfinite } = found;
    // A ReLU may hide an infinite weight from the losses after it.
    if (nonfinite !== null && nonfinite.finite === null && from > first)
      return search(source, layout, { from: Math.max(first, from - AT_ONCE), to }, first);
    if (nonfinite !== null) return nonfinite;
    ({ finite } = found);
  }
  return null;
}

/**
 * @param {Chunk[]} chunks in the order of their steps
 * @param {Layout} layout
 * @param {number|null} finite the last finite step before them
 * @returns {{nonfinite: Nonfinite|null, finite: number|null}}
 */
export function firstIn(chunks, layout, finite) {
  for (const { first, values } of chunks) {
    for (let i = 0; i * layout.floats < values.length; i++) {
      const record = values.subarray(i * layout.floats, (i + 1) * layout.floats);
      const part = brokenPart(record, layout, first + i);
      if (part !== null) return { nonfinite: { ...part, step: first + i, finite }, finite };
      finite = first + i;
    }
  }
  return { nonfinite: null, finite };
}

/**
 * The first number of a record that is not finite, in the order in which a step computes them.
 * @param {Float32Array} record
 * @param {Layout} layout
 * @param {number} step
 * @returns {Pick<Nonfinite, "role"|"name"|"value">|null}
 */
function brokenPart(record, layout, step) {
  const loss = record[layout.scalars.get("loss") ?? 0];
  if (step > 0 && !Number.isFinite(loss)) return { role: "loss", name: "loss", value: loss };
  const states = gradStatesIn(layout, record, step);
  const gradient = elementIn(record, layout, "gradient", (i) => states[i] !== "none");
  return gradient ?? elementIn(record, layout, "value", () => true);
}

/**
 * @param {Float32Array} record
 * @param {Layout} layout
 * @param {"gradient"|"value"} role
 * @param {(parameter: number) => boolean} isThere
 */
function elementIn(record, layout, role, isThere) {
  for (const [parameter, column] of layout.parameters.entries()) {
    for (let index = 0; isThere(parameter) && index < column.size; index++) {
      const value = record[column[role] + index];
      const name = () => elementName(layout, { kind: "parameter", parameter, index });
      if (!Number.isFinite(value)) return { role, name: name(), value };
    }
  }
  return null;
}
