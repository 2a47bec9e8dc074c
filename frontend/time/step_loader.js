// Brings the step that is asked for onto the screen, and plays history back. Fetched when someone first looks back.
// Follows the state; knows nothing about buttons or the drawing.

import { problemOf } from "../api.js";
import { Archive } from "./record_cache.js";
import { playbackSpeed } from "./shown_moment.js";

/** @import { Entry, Source } from "./record_cache.js" */
/** @import { Layout, State, Store } from "../types.js" */

const RETRY_MS = 500;
const REST_MS = 120; // one who stays so long may look around here
const NEAR = 10; // steps: one who goes on by so few goes on
const HOLD_MS = 400; // playback waits so long for a step before it goes past it

/**
 * @typedef {Object} Surroundings
 * @property {Store} store
 * @property {(id: string, layout: Layout) => Source} sourceOf
 * @property {(callback: (now: number) => void) => unknown} nextFrame
 * @property {(callback: () => void, ms: number) => unknown} later
 */

/** @typedef {{follow: () => void, archive: () => Archive|null}} Travel */

/** @param {Surroundings} surroundings @returns {Travel} */
export function createTravel({ store, sourceOf, nextFrame, later }) {
  /** @type {Archive|null} */
  let archive = null;
  /** What the archive is of. @type {{id: string|undefined, layout: Layout|null}} */
  let of = { id: undefined, layout: null };
  /** The step that was asked for last, so that it is asked for once. */
  let asked = -1;
  /** Whether a frame of playback is due. */
  let isPlaying = false;

  function follow() {
    const { then, run, layout } = store.state;
    if (then === null || run === null || layout === null) return rest();
    if (of.id !== run.id || of.layout !== layout) change(run.id, layout);
    if (then.step !== asked) ask(/** @type {Archive} */ (archive), then.step);
    if (store.state.playback.direction !== 0 && !isPlaying) begin();
  }

  function rest() {
    asked = -1;
  }

  /** @param {string} id @param {Layout} layout */
  function change(id, layout) {
    archive?.close();
    of = { id, layout };
    asked = -1;
    archive = new Archive(sourceOf(id, layout), layout.floats, () => {
      const { run } = store.state;
      return { first: run?.first_step ?? 0, last: run?.step ?? 0 };
    });
  }

  /** @param {Archive} from @param {number} step */
  function ask(from, step) {
    const way = asked >= 0 && Math.abs(step - asked) <= NEAR ? Math.sign(step - asked) : 0;
    asked = step;
    const known = from.peek(step);
    if (known === undefined) approach(from, step);
    from.record(step).then(
      (entry) => arrive(from, step, entry, way),
      (error) => retry(from, step, error),
    );
    if (known) show(known); // in the same frame; record() only marks it as used
  }

  /** Until it is there, the nearest one that is. @param {Archive} from @param {number} step */
  function approach(from, step) {
    const near = from.nearest(step);
    if (near !== null && isNearer(near.step, step)) show(near);
  }

  /** @param {number} candidate @param {number} step */
  function isNearer(candidate, step) {
    const shown = store.state.then?.moment?.step;
    return shown === undefined || Math.abs(candidate - step) < Math.abs(shown - step);
  }

  /** @param {Entry} entry */
  function show(entry) {
    const { then } = store.state;
    if (then !== null && then.moment?.step !== entry.step)
      store.dispatch({ type: "arrive", ...entry });
  }

  /** @param {Archive} from @param {number} step @param {Entry|null|undefined} entry @param {number} way */
  function arrive(from, step, entry, way) {
    const { then, playback } = store.state;
    if (from !== archive || then === null || entry === undefined) return;
    if (entry !== null && (step === then.step || isNearer(step, then.step))) show(entry);
    if (step !== then.step) return;
    if (entry === null) void miss(from, step);
    const ahead = playback.direction || way;
    if (ahead !== 0) from.prefetch(step, ahead);
    else
      later(
        () => from === archive && store.state.then?.step === step && from.prefetch(step, 0),
        REST_MS,
      );
  }

  /** Thinned out: which ones are there is asked, and the nearer one shown under its own number. @param {Archive} from @param {number} step */
  async function miss(from, step) {
    const [kept, exact] = await Promise.all([
      from.source.nearest(step).catch(() => []),
      from.source.exact().catch(() => null),
    ]);
    if (from !== archive || store.state.then?.step !== step) return;
    store.dispatch({ type: "thinned", step, kept });
    if (exact !== null) store.dispatch({ type: "kept", exact });
    const [nearest] = [...kept].sort((a, b) => Math.abs(a - step) - Math.abs(b - step));
    const entry =
      nearest === undefined ? undefined : await from.record(nearest).catch(() => undefined);
    if (entry && from === archive && store.state.then?.step === step) show(entry);
  }

  /** @param {Archive} from @param {number} step @param {unknown} error */
  function retry(from, step, error) {
    const isWanted = () => from === archive && store.state.then?.step === step;
    if (!isWanted()) return;
    if (store.state.connection === "open")
      store.dispatch({ type: "problem", problem: problemOf(error) });
    later(() => isWanted() && ask(from, step), RETRY_MS);
  }

  function begin() {
    isPlaying = true;
    let position = store.state.then?.step ?? 0;
    let last = NaN;
    let since = 0;
    /** @param {number} now */
    function tick(now) {
      const { then, playback, run } = store.state;
      isPlaying = then !== null && playback.direction !== 0;
      if (then === null || run === null || !isPlaying) return;
      nextFrame(tick);
      if (Number.isNaN(last)) [last, since] = [now, now];
      position += (playback.direction * playbackSpeed(store.state) * (now - last)) / 1000;
      last = now;
      const isShown = then.moment?.step === then.step || then.kept !== null;
      const next = Math.round(position);
      if (next === then.step || (!isShown && now - since < HOLD_MS)) return;
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

  return { follow, archive: () => archive };
}
