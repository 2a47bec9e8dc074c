// Chooses which moment the cards show: the newest one, or the step that is visited. Pure.

import { numberOf } from "../lib/number.js";
import { scalarsOf } from "../stream/record.js";

/** @import { Layout, Moment, Run, State } from "../types.js" */

const PLAYBACK_SECS = 20; // a whole run, unless a speed is asked for

/**
 * The state as the cards draw it. With a visited step, everything in it comes from that step's
 * record, so that a card does not know the difference.
 * @param {State} state
 * @returns {State}
 */
export function shown(state) {
  const moment = state.visited?.moment;
  if (moment == null || state.run === null || state.layout === null) return state;
  const run = visitedRun(state.run, state.layout, moment);
  return { ...state, run, moment, settled: moment, diverged: false };
}

/**
 * The same function with a memory of one state: all cards of a frame share one answer, and its run
 * stays the same object as long as neither the run nor the visited step changes.
 * @returns {(state: State) => State}
 */
export function createShown() {
  /** @type {{from: State, made: State}|null} */
  let last = null;
  return (state) => {
    if (last?.from === state) return last.made;
    let made = shown(state);
    if (made !== state && last?.from.visited === state.visited && last.from.run === state.run)
      made = { ...made, run: last.made.run };
    last = { from: state, made };
    return made;
  };
}

/** @param {Run} run @param {Layout} layout @param {Moment} moment @returns {Run} */
function visitedRun(run, layout, { step, values, gradStates }) {
  const scalars = scalarsOf(layout, values, step, run.lr);
  return { ...run, ...scalars, state: "paused", phase: "step", step, grad_states: gradStates };
}

/** Whether there is an earlier step to look at. @param {Run|null} run */
export const hasPast = (run) => run !== null && run.step > (run.first_step ?? 0);

/** Loss of the moment on the screen. @param {State} state */
export const shownLoss = (state) => numberOf(shown(state).run?.loss);

/** Steps a second. @param {State} state */
export function playbackSpeed({ playback, run }) {
  if (playback.speed !== null) return playback.speed;
  const steps = (run?.step ?? 0) - (run?.first_step ?? 0);
  return roundSpeed(Math.max(2, steps / PLAYBACK_SECS));
}

/** The nearest of 1, 2, 5, 10, … @param {number} speed */
function roundSpeed(speed) {
  const power = 10 ** Math.floor(Math.log10(speed));
  const digit = speed / power;
  return (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10) * power;
}

/** The next faster or slower speed. @param {number} speed @param {1|-1} direction */
export function otherSpeed(speed, direction) {
  const next = roundSpeed(direction > 0 ? speed * 2.2 : speed / 2.2);
  return Math.min(Math.max(next, 1), 1e6);
}
