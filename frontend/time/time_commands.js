// What a person asks of time: another step, history played back, now again.
// Knows nothing about buttons and keys, nor how a step gets onto the screen.

import { otherSpeed, playbackSpeed } from "./shown_moment.js";
/** @import { Send } from "../commands.js" */
/** @import { Store } from "../types.js" */

/** @typedef {ReturnType<typeof createLooking>} Looking */

/** @param {Store} store @param {Send} send */
export function createLooking(store, send) {
  /** A key that is held down stops at the newest step: it does not go on by training. */
  let hasArrived = false;

  /** @param {number} steps @param {boolean} isRepeated */
  function by(steps, isRepeated) {
    const { then, run } = store.state;
    if (run === null) return;
    store.dispatch({ type: "visit", step: (then?.step ?? run.step) + steps, isMoving: isRepeated });
    hasArrived ||= then !== null && store.state.then === null;
  }

  /** @param {-1|1} direction the same again stops it */
  function play(direction) {
    const isOn = store.state.playback.direction === direction;
    store.dispatch({ type: "playback", direction: isOn ? 0 : direction });
  }

  /** @param {-1|1} way */
  function speedUp(way) {
    store.dispatch({ type: "playback", speed: otherSpeed(playbackSpeed(store.state), way) });
  }

  return {
    /** @param {boolean} [isRepeated] */
    later(isRepeated = false) {
      if (store.state.then !== null) by(1, isRepeated);
      else if (!hasArrived && !isRepeated) void send({ kind: "step", count: 1 });
    },
    /** @param {number} steps @returns {(isRepeated?: boolean) => void} */
    by:
      (steps) =>
      (isRepeated = false) =>
        by(steps, isRepeated),
    first: () => store.dispatch({ type: "visit", step: 0 }),
    live: () => store.dispatch({ type: "live" }),
    playOn: () => play(1),
    playBack: () => play(-1),
    slower: () => speedUp(-1),
    faster: () => speedUp(1),
    /** Back to now; there, let go of what is pinned. */
    free() {
      store.dispatch(store.state.then === null ? { type: "pin", target: null } : { type: "live" });
    },
    /** A key was let go of. */
    stand() {
      hasArrived = false;
      if (store.state.then?.isMoving && store.state.playback.direction === 0)
        store.dispatch({ type: "stand" });
    },
  };
}

/** What keys ask of time, by the names that keys.js has for them. @param {Looking} looking */
export const timeKeys = (looking) => ({
  later: looking.later,
  earlier: looking.by(-1),
  muchLater: looking.by(10),
  muchEarlier: looking.by(-10),
  farLater: looking.by(100),
  farEarlier: looking.by(-100),
  first: looking.first,
  live: looking.live,
  playOn: looking.playOn,
  playBack: looking.playBack,
  slower: looking.slower,
  faster: looking.faster,
  free: looking.free,
});
