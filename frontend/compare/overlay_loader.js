// Loads the runs that are laid over the charts: their series, and where each begins to differ from
// the run on the screen. Loads again while one of them trains. Follows the state; knows nothing
// about charts. Fetched when the first run is laid over.

import { problemOf } from "../api.js";
import { SERIES } from "./overlay_series.js";

/** @import { Api } from "../api.js" */
/** @import { Divergence, Overlay, Run, SetTimer, Store } from "../types.js" */

const POINTS = 1200;
const REFRESH_MS = 2000;
const GROWTH = 1.25; // runs are compared again once they have so many times the steps

/**
 * @param {Object} dependencies
 * @param {Store} dependencies.store
 * @param {Pick<Api, "run"|"series"|"of">} dependencies.api
 * @param {SetTimer} dependencies.setTimer
 */
export function createOverlayLoader({ store, api, setTimer }) {
  /** What the last fetch was for: which runs lie over which, and whether that one trains. */
  let wanted = "";
  let isFetching = false;

  function follow() {
    const { overlaid, opened, run } = store.state;
    const now = [opened, overlaid.length > 0 && run?.state === "running", ...overlaid].join(" ");
    if (now === wanted) return;
    wanted = now;
    void refresh();
  }

  /** One fetch at a time; the newest request replaces the ones before it. */
  async function refresh() {
    if (isFetching) return;
    isFetching = true;
    const asked = wanted;
    const found = await fetchAll(store.state.overlaid, store.state.opened);
    isFetching = false;
    if (asked !== wanted) return void refresh();
    store.dispatch({ type: "overlays", overlays: found });
    const { run, overlaid } = store.state;
    if (
      overlaid.length > 0 &&
      [run, ...found.map((one) => one.run)].some((one) => one?.state === "running")
    ) {
      setTimer(() => asked === wanted && void refresh(), REFRESH_MS);
    }
  }

  /** @param {string[]} ids @param {string|undefined} base @returns {Promise<Overlay[]>} */
  async function fetchAll(ids, base) {
    const known = new Map(store.state.overlays.map((one) => [one.run.id, one]));
    const found = [];
    for (const id of ids) {
      const one = await fetchOne(id, base, known.get(id)).catch((error) =>
        failed(id, error, known.get(id)),
      );
      if (one !== undefined) found.push(one);
    }
    return found;
  }

  /**
   * @param {string} id
   * @param {string|undefined} base
   * @param {Overlay|undefined} known
   * @returns {Promise<Overlay>}
   */
  async function fetchOne(id, base, known) {
    const run = await api.run(id);
    const series =
      known !== undefined && isSettled(known, run)
        ? known.series
        : await api.series(id, SERIES, POINTS);
    // The run on the screen may be gone; this one is not.
    const where = await divergence(run, base, known).catch(() => null);
    return { run, series, base, divergence: where };
  }

  /**
   * Remove a run that was deleted; keep what is known about any other.
   * @param {string} id
   * @param {unknown} error
   * @param {Overlay|undefined} known
   */
  function failed(id, error, known) {
    if (problemOf(error).status === 404) store.dispatch({ type: "overlay", id, isShown: false });
    return known;
  }

  /**
   * @param {Run} run
   * @param {string|undefined} base
   * @param {Overlay|undefined} known
   * @returns {Promise<Divergence|null>}
   */
  async function divergence(run, base, known) {
    if (base === undefined) return null;
    const last = known?.base === base ? known.divergence : null;
    if (last !== null && !isOutgrown(last, run)) return last;
    return api.of(base, `divergence?other=${encodeURIComponent(run.id)}`);
  }

  /** @param {Divergence} found @param {Run} run */
  function isOutgrown({ step, last }, run) {
    if (step !== null) return false; // the step at which runs begin to differ does not change
    const both = Math.min(store.state.run?.step ?? 0, run.step);
    const hasStopped = ![store.state.run, run].some((one) => one?.state === "running");
    return both > (last ?? -1) * (hasStopped ? 1 : GROWTH);
  }

  return { follow };
}

/** @param {Overlay} known @param {Run} run */
const isSettled = ({ run: before }, run) => before.step === run.step && run.state !== "running";
