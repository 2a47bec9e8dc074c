// The composition root of a replay: the dashboard's own cards over a run that is within this file.
// Knows nothing of servers.

import { listen } from "../keys.js";
import { createStore } from "../store.js";
import { createClock, createStats } from "../stream/clock.js";
import { createTheme } from "../theme.js";
import { shown } from "../time/shown_moment.js";
import { createStepLoader } from "../time/step_loader.js";
import { createTimeCommands, timeKeys } from "../time/time_commands.js";
import * as code from "../views/code.js";
import { set, write } from "../views/dom.js";
import * as fit from "../views/fit.js";
import * as inspector from "../views/inspector.js";
import * as loss from "../views/loss.js";
import * as network from "../views/network.js";
import * as norms from "../views/norms.js";
import { setTheme } from "../views/palette.js";
import * as parameters from "../views/parameters.js";
import * as stepBadge from "../views/step_badge.js";
import * as timeline from "../views/timeline.js";
import * as heading from "./heading.js";
import { recordingOf, snapped } from "./recording.js";

/** @import { Action, View } from "../types.js" */

const READ_MS = 100;
const CHART_MS = 200;

const place = (/** @type {string} */ id) =>
  /** @type {HTMLElement} */ (document.getElementById(id));
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
store.dispatch = (action) =>
  dispatch(action.type === "visit" ? { ...action, step: momentFor(action) } : action);
const stepLoader = createStepLoader({
  store,
  sourceOf: () => recording.source,
  nextFrame: (callback) => requestAnimationFrame(callback),
  setTimer: (callback, ms) => setTimeout(callback, ms),
});
const timeCommands = createTimeCommands(store, async () => false);
const theme = createTheme(({ dark, reducedMotion }) => {
  setTheme(dark);
  store.dispatch({ type: "appearance", dark, reducedMotion });
});

/** Steps that were thinned out are gone past. @param {Action} action */
function momentFor({ step, isMoving }) {
  const { visited, run, playback } = store.state;
  const isDragged = isMoving && playback.direction === 0;
  const way = playback.direction || Math.sign(step - (visited?.step ?? run?.step ?? 0));
  return snapped(moments, step, isDragged ? 0 : way);
}

/** @param {View} view @param {number} [everyMs] */
const card = (view, everyMs) => clock.add(() => view.draw(shown(store.state)), everyMs);
/** @param {View} view @param {number} [everyMs] */
const show = (view, everyMs) => clock.add(() => view.draw(store.state), everyMs);

card(heading.mount(place("bar"), facts, moments.length, theme.toggle), READ_MS);
card(network.mount(place("network"), store));
show(stepBadge.mount(place("network"), store));
card(fit.mount(place("fit"), store));
card(code.mount(place("code"), store), READ_MS);
card(parameters.mount(place("parameters"), store), READ_MS);
card(inspector.mount(place("inspector"), store), READ_MS);
card(loss.mount(place("loss"), store), CHART_MS);
card(norms.mount(place("norms"), store), CHART_MS);
const line = timeline.mount(place("timeline"), store, { timeCommands, branch: () => undefined });
show(line, READ_MS);
clock.add(() => line.follow(store.state));

write(place("live"), "End"); // nothing is live here
set(place("live"), "title", "The last step (L or Esc)");

listen(document, {
  ...timeKeys(timeCommands),
  toggleTraining: timeCommands.playForward,
  phase: () => undefined,
  help: () => undefined,
});
document.addEventListener("keyup", timeCommands.keyReleased);

/** What a server would say, said once. */
function begin() {
  const { run, data, loop, series } = facts;
  const last = chunks[chunks.length - 1];
  const count = Math.min(2, last.values.length / layout.floats);
  const first = last.first + last.values.length / layout.floats - count;
  const values = last.values.slice(-count * layout.floats);
  store.dispatch({ type: "open", id: run.id });
  store.dispatch({ type: "loop", loop });
  store.dispatch({
    type: "hello",
    run: { ...run, state: "finished", step: first + count - 1 },
    layout,
  });
  store.dispatch({ type: "data", data });
  store.dispatch({ type: "pastSeries", series });
  const frame = { kind: "records", first, count, epoch: run.epoch, skipped: 0, time: 0, values };
  store.dispatch({ type: "frame", frame });
}

begin();

/** For tests: what is on the screen. */
Object.assign(window, { livegrad: { store } });
