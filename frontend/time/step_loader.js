// Loads the step that is visited, and plays the run's steps. Follows the state; knows nothing about
// buttons or the drawing. Fetched when someone first visits a step.

import { problemOf } from "../api.js";
import { RecordCache } from "./record_cache.js";
import { playbackSpeed } from "./shown_moment.js";

/** @import { Entry, Source } from "./record_cache.js" */
/** @import { Layout, SetTimer, State, Store } from "../types.js" */

const RETRY_MS = 500;
const REST_MS = 120; // a person who stays here so long may look at the steps around
const NEAR = 10; // steps: a move by so few has a direction
const HOLD_MS = 400; // playback waits so long for a step before it skips it

/**
 * @typedef {Object} Dependencies
 * @property {Store} store
 * @property {(id: string, layout: Layout) => Source} sourceOf
 * @property {(callback: (now: number) => void) => unknown} nextFrame
 * @property {SetTimer} setTimer
 */

/** @typedef {{follow: () => void, recordCache: () => RecordCache|null}} StepLoader */

/** @param {Dependencies} dependencies @returns {StepLoader} */
export function createStepLoader({ store, sourceOf, nextFrame, setTimer }) {
  /** @type {RecordCache|null} */
  let recordCache = null;
  /** The run whose records the cache holds. @type {{id: string|undefined, layout: Layout|null}} */
  let of = { id: undefined, layout: null };
  /** The step that was requested last, so that it is requested once. */
  let asked = -1;
  /** Whether playback has asked for a frame. */
  let isPlaying = false;

  function follow() {
    const { visited, run, layout } = store.state;
    if (visited === null || run === null || layout === null) return rest();
    if (of.id !== run.id || of.layout !== layout) change(run.id, layout);
    if (visited.step !== asked) ask(/** @type {RecordCache} */ (recordCache), visited.step);
    if (store.state.playback.direction !== 0 && !isPlaying) begin();
  }

  function rest() {
    asked = -1;
  }

  /** @param {string} id @param {Layout} layout */
  function change(id, layout) {
    recordCache?.close();
    of = { id, layout };
    asked = -1;
    recordCache = new RecordCache(sourceOf(id, layout), layout.floats, () => {
      const { run } = store.state;
      return { first: run?.first_step ?? 0, last: run?.step ?? 0 };
    });
  }

  /** @param {RecordCache} from @param {number} step */
  function ask(from, step) {
    const way = asked >= 0 && Math.abs(step - asked) <= NEAR ? Math.sign(step - asked) : 0;
    asked = step;
    const known = from.peek(step);
    if (known === undefined) approach(from, step);
    from.record(step).then(
      (entry) => arrive(from, step, entry, way),
      (error) => retry(from, step, error),
    );
    if (known) show(known); // in this very frame; record() answers later, and marks it as used
  }

  /**
   * Show the nearest known record until the exact one has come.
   * @param {RecordCache} from
   * @param {number} step
   */
  function approach(from, step) {
    const near = from.nearest(step);
    if (near !== null && isNearer(near.step, step)) show(near);
  }

  /** @param {number} candidate @param {number} step */
  function isNearer(candidate, step) {
    const shown = store.state.visited?.moment?.step;
    return shown === undefined || Math.abs(candidate - step) < Math.abs(shown - step);
  }

  /** @param {Entry} entry */
  function show(entry) {
    const { visited } = store.state;
    if (visited !== null && visited.moment?.step !== entry.step)
      store.dispatch({ type: "visitedRecord", ...entry });
  }

  /**
   * @param {RecordCache} from
   * @param {number} step
   * @param {Entry|null|undefined} entry
   * @param {number} way
   */
  function arrive(from, step, entry, way) {
    const { visited, playback } = store.state;
    if (from !== recordCache || visited === null || entry === undefined) return;
    if (entry !== null && (step === visited.step || isNearer(step, visited.step))) show(entry);
    if (step !== visited.step) return;
    if (entry === null) void miss(from, step);
    const ahead = playback.direction || way;
    if (ahead !== 0) from.prefetch(step, ahead);
    else
      setTimer(
        () => from === recordCache && store.state.visited?.step === step && from.prefetch(step, 0),
        REST_MS,
      );
  }

  /**
   * A step that was thinned out: ask which steps are kept, and show the nearer one.
   * @param {RecordCache} from
   * @param {number} step
   */
  async function miss(from, step) {
    const [kept, exact] = await Promise.all([
      from.source.nearest(step).catch(() => []),
      from.source.exact().catch(() => null),
    ]);
    if (from !== recordCache || store.state.visited?.step !== step) return;
    store.dispatch({ type: "visitedThinned", step, kept });
    if (exact !== null) store.dispatch({ type: "exactRanges", exact });
    const [nearest] = [...kept].sort((a, b) => Math.abs(a - step) - Math.abs(b - step));
    const entry =
      nearest === undefined ? undefined : await from.record(nearest).catch(() => undefined);
    if (entry && from === recordCache && store.state.visited?.step === step) show(entry);
  }

  /** @param {RecordCache} from @param {number} step @param {unknown} error */
  function retry(from, step, error) {
    const isWanted = () => from === recordCache && store.state.visited?.step === step;
    if (!isWanted()) return;
    if (store.state.connection === "open")
      store.dispatch({ type: "problem", problem: problemOf(error) });
    setTimer(() => isWanted() && ask(from, step), RETRY_MS);
  }

  function begin() {
    isPlaying = true;
    let position = store.state.visited?.step ?? 0;
    let last = NaN;
    let since = 0;
    /** @param {number} now */
    function tick(now) {
      const { visited, playback, run } = store.state;
      isPlaying = visited !== null && playback.direction !== 0;
      if (visited === null || run === null || !isPlaying) return;
      nextFrame(tick);
      if (Number.isNaN(last)) [last, since] = [now, now];
      position += (playback.direction * playbackSpeed(store.state) * (now - last)) / 1000;
      last = now;
      const isShown = visited.moment?.step === visited.step || visited.kept !== null;
      const next = Math.round(position);
      if (next === visited.step || (!isShown && now - since < HOLD_MS)) return;
      since = now;
      advance(next, run.first_step ?? 0);
    }
    nextFrame(tick);
  }

  /** @param {number} step @param {number} first */
  function advance(step, first) {
    store.dispatch({ type: "visit", step, isMoving: true });
    if (step <= first) store.dispatch({ type: "playback", direction: 0 });
  }

  return { follow, recordCache: () => recordCache };
}
