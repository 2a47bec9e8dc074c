// What the stream left out, by a skip or while it was lost: which steps are missing, and fetching them exactly.
// Knows nothing about sockets or how a record is read.

/**
 * The lowest and the highest step that may be missing: one stretch, however often steps were left out.
 * @typedef {{from: number, to: number}} Stretch
 */

/**
 * @typedef {Object} BackfillOptions
 * @property {(stretch: Stretch) => Promise<void>} exact every record, merged into what is there
 * @property {(stretch: Stretch) => Promise<void>} thinned for stretches that are too long for that
 * @property {() => boolean} isAtRest training stands
 * @property {(callback: () => void, ms: number) => unknown} setTimer
 */

export const MOST_STEPS = 4096; // fetched exactly at once
export const EVERY_MS = 2000; // between two fetches while training goes on

/** @param {Stretch|null} known @param {number} from @param {number} to @returns {Stretch|null} */
export function widened(known, from, to) {
  if (from > to) return known;
  return known === null
    ? { from, to }
    : { from: Math.min(known.from, from), to: Math.max(known.to, to) };
}

/** What is left once everything from a step on was written anew. @param {Stretch|null} known @param {number} step @returns {Stretch|null} */
export function cut(known, step) {
  if (known === null || step <= known.from) return null;
  return { from: known.from, to: Math.min(known.to, step - 1) };
}

/** @param {Stretch} stretch */
export const isShort = ({ from, to }) => to - from < MOST_STEPS;

/** @param {BackfillOptions} options */
export function createBackfill({ exact, thinned, isAtRest, setTimer }) {
  /** Newest step that was received; null before the first. @type {number|null} */
  let newest = null;
  /** @type {Stretch|null} */
  let missing = null;
  /** What is being fetched, without what was written anew meanwhile. @type {Stretch|null} */
  let under = null;
  let isFetching = false;
  let isResting = false; // a fetch just ended: the next one waits
  let isRefused = false; // until something new is missing

  /** @param {number} from @param {number} to */
  function miss(from, to) {
    if (from > to) return;
    missing = widened(missing, from, to);
    isRefused = false;
  }

  /** One at a time; what fails is missing still, and asked for when there is news. */
  async function bring() {
    if (missing === null || isFetching) return;
    under = missing;
    missing = null;
    isFetching = true;
    try {
      await (isShort(under) ? exact : thinned)(under);
    } catch {
      isRefused = true;
      if (under !== null) missing = widened(missing, under.from, under.to);
    }
    under = null;
    isFetching = false;
    isResting = true;
    setTimer(() => ((isResting = false), look()), EVERY_MS);
  }

  /** While training goes on, only a short stretch, now and then; a long one waits until it stands. */
  function look() {
    if (missing === null || isRefused || isFetching) return;
    if (isAtRest() || (!isResting && isShort(missing))) void bring();
  }

  return {
    look,
    /** What of a fetched stretch is still wanted. */
    wanted: () => under,
    /** The whole past up to a step is on its way: what is missed after it waits for it. @param {number} step @param {Promise<void>} past */
    async begun(step, past) {
      newest = step;
      missing = under = null;
      isFetching = true;
      await past;
      isFetching = false;
      look();
    },
    /** Attached again: everything up to the run's step was missed. @param {number} step */
    greeted(step) {
      if (newest !== null) miss(newest + 1, step);
      newest = Math.max(newest ?? -1, step);
      isRefused = false;
      void bring();
    },
    /** @param {{first: number, count: number, skipped: number}} frame */
    took({ first, count, skipped }) {
      const begin = newest === null ? first - skipped : Math.min(newest + 1, first - skipped);
      if (newest !== null && begin <= newest)
        [missing, under] = [cut(missing, begin), cut(under, begin)];
      newest = first + count - 1;
      miss(Math.max(begin, 0), first - 1);
    },
  };
}
