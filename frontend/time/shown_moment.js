// Then and now: which moment the cards show, and how that is said. Pure.

import { numberOf } from "../stream/protocol.js";

/** @import { Layout, Moment, Run, State } from "../types.js" */

const PLAYBACK_SECS = 20; // a whole run, unless a speed is asked for

/** Made for this state. @type {{of: State|null, made: State|null}} */
const last = { of: null, made: null };

/**
 * The state as the cards draw it: now, or as it was then. Everything about then comes from its record.
 * @param {State} state @returns {State}
 */
export function shown(state) {
  const moment = state.visited?.moment;
  if (moment == null || state.run === null || state.layout === null) return state;
  const { of, made } = last;
  const isSame =
    of !== null && of.visited === state.visited && of.run === state.run && made !== null;
  const run = isSame ? made.run : visitedRun(state.run, state.layout, moment);
  last.of = state;
  last.made = { ...state, run, moment, settled: moment, diverged: false };
  return last.made;
}

/** @param {Run} run @param {Layout} layout @param {Moment} moment @returns {Run} */
function visitedRun(run, layout, { step, values, gradStates }) {
  const scalar = (/** @type {string} */ name) => values[layout.scalars.get(name) ?? -1] ?? null;
  const [loss, validation_loss] =
    step === 0 ? [null, null] : [scalar("loss"), scalar("validation_loss")];
  const lr = scalar("lr") ?? run.lr;
  return {
    ...run,
    state: "paused",
    phase: "step",
    step,
    loss,
    validation_loss,
    lr,
    grad_states: gradStates,
  };
}

/** Whether there is a step to look back at. @param {Run|null} run */
export const hasPast = (run) => run !== null && run.step > (run.first_step ?? 0);

/** Loss of the moment on the screen. @param {State} state */
export const shownLoss = (state) => numberOf(shown(state).run?.loss);

/** Steps a second. @param {State} state */
export function playbackSpeed({ playback, run }) {
  if (playback.speed !== null) return playback.speed;
  const steps = (run?.step ?? 0) - (run?.first_step ?? 0);
  return roundSpeed(Math.max(2, steps / PLAYBACK_SECS));
}

/** 1, 2, 5, 10, … @param {number} speed */
export function roundSpeed(speed) {
  const power = 10 ** Math.floor(Math.log10(speed));
  const digit = speed / power;
  return (digit < 1.5 ? 1 : digit < 3.5 ? 2 : digit < 7.5 ? 5 : 10) * power;
}

/** The next faster or slower one. @param {number} speed @param {1|-1} way */
export function otherSpeed(speed, way) {
  const next = roundSpeed(way > 0 ? speed * 2.2 : speed / 2.2);
  return Math.min(Math.max(next, 1), 1e6);
}

/** @param {number} step */
export const stepText = (step) => step.toLocaleString("en");
