// A replay: the dashboard's own cards over a run that is stored in this file. Knows nothing about
// servers.

import { mountCards, place, READ_MS } from "../cards.js";
import { listen } from "../keys.js";
import { createStore } from "../store.js";
import { createClock, createStats } from "../stream/clock.js";
import { createTheme } from "../theme.js";
import { createStepLoader } from "../time/step_loader.js";
import { createTimeCommands, timeKeys } from "../time/time_commands.js";
import { set, write } from "../views/dom.js";
import * as inspector from "../views/inspector.js";
import * as loss from "../views/loss.js";
import * as norms from "../views/norms.js";
import { setTheme } from "../views/palette.js";
import * as heading from "./heading.js";
import { recordingOf, snapped } from "./recording.js";

/** @import { Action, ActionOf } from "../types.js" */

const textOf = (/** @type {string} */ id) => place(id).textContent ?? "";

const recording = recordingOf(JSON.parse(textOf("facts")), textOf("records"));
const { facts, layout, chunks, moments } = recording;
place("records").remove(); // the text has become numbers

const clock = createClock(createStats());
const store = createStore((hurry) => {
  clock.invalidate(hurry);
  stepLoader.follow();
});
const { dispatch } = store;
store.dispatch = (/** @type {Action} */ action) =>
  dispatch(action.type === "visit" ? { ...action, step: momentFor(action) } : action);
const stepLoader = createStepLoader({
  store,
  sourceOf: () => recording.source,
  nextFrame: (callback) => requestAnimationFrame(callback),
  setTimer: (callback, ms) => setTimeout(callback, ms),
});
const timeCommands = createTimeCommands(store, async () => false); // there is nothing to train
const theme = createTheme(({ dark, reducedMotion }) => {
  setTheme(dark);
  store.dispatch({ type: "appearance", dark, reducedMotion });
});

/**
 * The step to show: playback and keys pass over steps that were thinned out.
 * @param {ActionOf<"visit">} action
 */
function momentFor({ step, isMoving }) {
  const { visited, run, playback } = store.state;
  const isDragged = isMoving && playback.direction === 0;
  const direction = playback.direction || Math.sign(step - (visited?.step ?? run?.step ?? 0));
  return snapped(moments, step, isDragged ? 0 : direction);
}

const { card } = mountCards({
  store,
  clock,
  timeCommands,
  branch: () => undefined,
  inspector: inspector.mount,
  charts: { loss: loss.mount, norms: norms.mount },
});
card(heading.mount(place("bar"), facts, moments.length, theme.toggle), READ_MS);

write(place("live"), "End"); // nothing is live here
set(place("live"), "title", "The last step (L or Esc)");

listen(document, {
  ...timeKeys(timeCommands),
  toggleTraining: timeCommands.playForward,
  phase: () => undefined,
  help: () => undefined,
});
document.addEventListener("keyup", timeCommands.keyReleased);

/** Give the store what a server would send. */
function load() {
  const { run, data, loop, series } = facts;
  const last = chunks[chunks.length - 1];
  const count = Math.min(2, last.values.length / layout.floats);
  const first = last.first + last.values.length / layout.floats - count;
  const values = last.values.slice(-count * layout.floats);
  const step = first + count - 1;
  store.dispatch({ type: "open", id: run.id });
  store.dispatch({ type: "loop", loop });
  store.dispatch({ type: "hello", run: { ...run, state: "finished", step }, layout });
  store.dispatch({ type: "data", data });
  store.dispatch({ type: "pastSeries", series });
  store.dispatch({
    type: "frame",
    frame: { kind: "records", first, count, epoch: run.epoch, skipped: 0, time: 0, values },
  });
}

load();

/** For tests: what is on the screen. */
Object.assign(window, { livegrad: { store } });
