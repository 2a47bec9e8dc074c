// The steps that the stream left out, by a skip or while the connection was lost: which are
// missing,
// and when they are fetched. Knows nothing about sockets or how a record is read.

/** @import { SetTimer, StepRange } from "../types.js" */

/**
 * @typedef {Object} BackfillOptions
 * @property {(range: StepRange) => Promise<void>} exact fetch every record
 * @property {(range: StepRange) => Promise<void>} thinned fetch series for a long range
 * @property {() => boolean} isAtRest nothing is being trained
 * @property {SetTimer} setTimer
 */

export const MOST_STEPS = 4096; // fetched exactly at once
export const EVERY_MS = 2000; // between two fetches while training runs

/**
 * One range that holds both: however often steps are left out, one range of them is kept.
 * @param {StepRange|null} known
 * @param {number} from
 * @param {number} to
 * @returns {StepRange|null}
 */
export function widened(known, from, to) {
  if (from > to) return known;
  return known === null
    ? { from, to }
    : { from: Math.min(known.from, from), to: Math.max(known.to, to) };
}

/**
 * What is left of a range when everything from a step on is trained again.
 * @param {StepRange|null} known
 * @param {number} step
 * @returns {StepRange|null}
 */
export function cut(known, step) {
  if (known === null || step <= known.from) return null;
  return { from: known.from, to: Math.min(known.to, step - 1) };
}

/** @param {StepRange} range */
const isShort = ({ from, to }) => to - from < MOST_STEPS;

/** @param {BackfillOptions} options */
export function createBackfill({ exact, thinned, isAtRest, setTimer }) {
  /** Newest step that was received; null before the first. @type {number|null} */
  let newest = null;
  /** @type {StepRange|null} */
  let missing = null;
  /** What is being fetched, without what was trained again meanwhile. @type {StepRange|null} */
  let fetching = null;
  let isBusy = false;
  let isResting = false; // a fetch has just ended: the next one waits
  let isRefused = false; // until something new is missing

  /** @param {number} from @param {number} to */
  function miss(from, to) {
    if (from > to) return;
    missing = widened(missing, from, to);
    isRefused = false;
  }

  /** One fetch at a time. What fails stays missing, and is asked for when something new is. */
  async function bring() {
    if (missing === null || isBusy) return;
    fetching = missing;
    missing = null;
    isBusy = true;
    try {
      await (isShort(fetching) ? exact : thinned)(fetching);
    } catch {
      isRefused = true;
      if (fetching !== null) missing = widened(missing, fetching.from, fetching.to);
    }
    fetching = null;
    isBusy = false;
    isResting = true;
    setTimer(() => {
      isResting = false;
      look();
    }, EVERY_MS);
  }

  /** While training runs, fetch a short range now and then; a long one waits until it rests. */
  function look() {
    if (missing === null || isRefused || isBusy) return;
    if (isAtRest() || (!isResting && isShort(missing))) void bring();
  }

  return {
    look,
    /** What of the range being fetched is still wanted. */
    wanted: () => fetching,
    /**
     * The past up to a step is being loaded. What goes missing after it waits for that.
     * @param {number} step
     * @param {Promise<void>} past
     */
    async begun(step, past) {
      newest = step;
      missing = fetching = null;
      isBusy = true;
      await past;
      isBusy = false;
      look();
    },
    /** Connected again: everything up to the run's step was missed. @param {number} step */
    greeted(step) {
      if (newest !== null) miss(newest + 1, step);
      newest = Math.max(newest ?? -1, step);
      isRefused = false;
      void bring();
    },
    /** @param {{first: number, count: number, skipped: number}} frame */
    took({ first, count, skipped }) {
      const begin = newest === null ? first - skipped : Math.min(newest + 1, first - skipped);
      if (newest !== null && begin <= newest) {
        missing = cut(missing, begin);
        fetching = cut(fetching, begin);
      }
      newest = first + count - 1;
      miss(Math.max(begin, 0), first - 1);
    },
  };
}
