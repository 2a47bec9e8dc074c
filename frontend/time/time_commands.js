// The commands that move through a run's steps: visit a step, play, return to the newest one. Knows
// nothing about buttons and keys, or how a step is loaded.

import { otherSpeed, playbackSpeed } from "./shown_moment.js";
/** @import { Send } from "../commands.js" */
/** @import { Store } from "../types.js" */

/** @typedef {ReturnType<typeof createTimeCommands>} TimeCommands */

/** @param {Store} store @param {Send} send */
export function createTimeCommands(store, send) {
  /** A key that is held down stops at the newest step; it does not train. */
  let hasArrived = false;

  /** @param {number} steps @param {boolean} isRepeated */
  function by(steps, isRepeated) {
    const { visited, run } = store.state;
    if (run === null) return;
    store.dispatch({
      type: "visit",
      step: (visited?.step ?? run.step) + steps,
      isMoving: isRepeated,
    });
    hasArrived ||= visited !== null && store.state.visited === null;
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
    nextStep(isRepeated = false) {
      if (store.state.visited !== null) by(1, isRepeated);
      else if (!hasArrived && !isRepeated) void send({ kind: "step", count: 1 });
    },
    /** @param {number} steps @returns {(isRepeated?: boolean) => void} */
    by:
      (steps) =>
      (isRepeated = false) =>
        by(steps, isRepeated),
    firstStep: () => store.dispatch({ type: "visit", step: 0 }),
    live: () => store.dispatch({ type: "live" }),
    playForward: () => play(1),
    playBackward: () => play(-1),
    slower: () => speedUp(-1),
    faster: () => speedUp(1),
    /** Return to the newest step; there, unpin. */
    escape() {
      store.dispatch(
        store.state.visited === null ? { type: "pin", target: null } : { type: "live" },
      );
    },
    /** A key was released. */
    keyReleased() {
      hasArrived = false;
      if (store.state.visited?.isMoving && store.state.playback.direction === 0)
        store.dispatch({ type: "stopMoving" });
    },
  };
}

/**
 * The commands by the names of the key handlers in keys.js.
 * @param {TimeCommands} timeCommands
 */
export const timeKeys = (timeCommands) => ({
  nextStep: timeCommands.nextStep,
  previousStep: timeCommands.by(-1),
  forward10: timeCommands.by(10),
  back10: timeCommands.by(-10),
  forward100: timeCommands.by(100),
  back100: timeCommands.by(-100),
  firstStep: timeCommands.firstStep,
  live: timeCommands.live,
  playForward: timeCommands.playForward,
  playBackward: timeCommands.playBackward,
  slower: timeCommands.slower,
  faster: timeCommands.faster,
  escape: timeCommands.escape,
});
