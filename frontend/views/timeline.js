// The whole run along the bottom: its loss as a silhouette, the step on the screen, now, and the ways between them.
// Knows nothing about how a step is fetched.

import { format } from "../lib/format.js";
import { lossThen, playbackSpeed, stepText } from "../then.js";
import { element, keepFocus, set, svg, whenChanged, write } from "./dom.js";
import { outline, reach, thinned } from "./timeline/silhouette.js";
/** @import { Looking } from "../looking.js" */
/** @import { History, Run, State, Store, View } from "../types.js" */

/**
 * @typedef {Object} Ways
 * @property {Looking} looking
 * @property {() => void} branch continue from the step on the screen
 */

/** @param {HTMLElement} root @param {Store} store @param {Ways} ways @returns {View} */
export function mount(root, store, { looking, branch }) {
  const play = createPlayback(store, looking);
  const track = createTrack(store);
  const place = createPlace(store);
  const from = button("continue", "Continue", "A new run that goes on from this step", branch);
  from.append(element("span", { class: "wide-only" }, " from here"));
  const live = button("live", "Live", "Back to now (L or Esc)", looking.live);
  root.append(play.root, track.root, place.root, from, live);
  return {
    draw(state) {
      const { then, run } = state;
      set(root, "data-then", then !== null);
      set(from, "disabled", run === null || state.layout === null || (then !== null && then.moment?.step !== then.step));
      set(live, "disabled", then === null);
      set(live, "data-live", then === null && run?.state === "running");
      set(live, "class", then === null ? null : "primary");
      play.draw(state);
      place.draw(state);
      track.draw(state);
    },
    unmount() {
      track.unmount();
      root.replaceChildren();
    },
  };
}

/** @param {string} id @param {string} text @param {string} title @param {() => void} act */
function button(id, text, title, act) {
  return element("button", { type: "button", id, title, onclick: act, onmousedown: keepFocus }, text);
}

/** @param {Store} store @param {Looking} looking */
function createPlayback(store, looking) {
  const back = button("play-back", "◀", "Play history backwards (Shift+P)", looking.playBack);
  const on = button("play-on", "▶", "Play history forwards (P)", looking.playOn);
  const speed = element("input", { id: "playback-speed", inputmode: "decimal", autocomplete: "off", title: "Speed of playback; < and > change it" });
  const settle = () => {
    const wanted = Number(speed.value.replaceAll(",", ""));
    if (wanted > 0 && wanted <= 1e6) store.dispatch({ type: "playback", speed: wanted });
    speed.value = stepText(playbackSpeed(store.state));
  };
  speed.addEventListener("change", settle);
  speed.addEventListener("keydown", ({ key }) => {
    if (key === "Enter") settle();
    leave(key);
  });
  const draw = whenChanged((/** @type {number} */ direction, /** @type {number} */ rate, /** @type {boolean} */ may) => {
    for (const [way, face, step, words] of /** @type {const} */ ([[back, "◀", -1, "backwards"], [on, "▶", 1, "forwards"]])) {
      write(way, direction === step ? "❚❚" : face);
      set(way, "aria-label", direction === step ? "Stop playing" : `Play history ${words}`);
      set(way, "aria-pressed", String(direction === step));
      set(way, "disabled", !may);
    }
    speed.disabled = !may;
    if (document.activeElement !== speed) speed.value = stepText(rate);
  });
  const label = element("label", { for: "playback-speed" }, "steps/s");
  return {
    root: element("div", { class: "playback", role: "group", "aria-label": "Play history" }, back, on, speed, label),
    /** @param {State} state */
    draw: (state) => draw(state.playback.direction, playbackSpeed(state), hasPast(state.run)),
  };
}

/** Typed: keys go through time again. @param {string} key */
function leave(key) {
  if (key === "Enter" || key === "Escape") document.getElementById("track")?.focus();
}

/** @param {Run|null} run */
const hasPast = (run) => run !== null && run.step > (run.first_step ?? 0);

/** Where one is: the step, to be typed over. @param {Store} store */
function createPlace(store) {
  const input = element("input", { id: "place", inputmode: "numeric", autocomplete: "off", "aria-label": "Step to look at", title: "Type a step, then Enter" });
  const end = element("span", { class: "number" });
  const restore = () => {
    const { then, run } = store.state;
    input.value = run === null ? "" : stepText(then?.step ?? run.step);
  };
  const go = () => {
    const text = input.value.replace(/[,\s]/g, "");
    if (/^\d+$/.test(text)) store.dispatch({ type: "visit", step: Number(text) });
    restore();
  };
  input.addEventListener("change", go);
  input.addEventListener("keydown", ({ key }) => {
    if (key === "Enter") go();
    if (key === "Escape") restore();
    leave(key);
  });
  input.addEventListener("focus", () => input.select());
  return {
    root: element("div", { class: "place" }, input, end),
    /** @param {State} state */
    draw({ run, then, history }) {
      if (document.activeElement !== input) restore();
      input.disabled = !hasPast(run);
      write(end, run === null || history === null ? "" : `/ ${stepText(then === null ? run.config.max_steps : run.step)}`);
    },
  };
}

/** @param {Store} store */
function createTrack(store) {
  const shape = svg("path", { class: "silhouette" });
  const picture = svg("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" }, shape);
  const [ahead, since, live, hand] = ["ahead", "since", "live-mark", "hand"].map((kind) => element("div", { class: kind }));
  const gaps = element("div", { class: "gaps" });
  const bubble = element("div", { class: "bubble", hidden: true });
  const field = element("div", { class: "track-field" }, picture, gaps, ahead, since, live, hand);
  const root = element("div", { class: "track", id: "track", role: "slider", tabindex: 0, "aria-label": "Step of the run" }, field, bubble);
  let end = 1;
  let begin = 0;
  const share = (/** @type {number} */ step) => Math.min(Math.max((step - begin) / (end - begin), 0), 1);
  const at = (/** @type {HTMLElement} */ mark, /** @type {number} */ step) => (mark.style.left = `${(share(step) * 100).toFixed(3)}%`);
  const stepAt = (/** @type {PointerEvent} */ { clientX }) => {
    const { left, width } = field.getBoundingClientRect();
    return Math.round(begin + ((clientX - left) / width) * (end - begin));
  };
  listenTo(root, store, stepAt, (step, x) => say(store.state, step, x));

  /** What is under the cursor. @param {State} state @param {number|null} step @param {number} x */
  function say({ history, run }, step, x) {
    set(bubble, "hidden", step === null || run === null);
    if (step === null || run === null) return;
    const { left, width } = root.getBoundingClientRect();
    bubble.style.left = `${Math.min(Math.max(x - left, 60), width - 60)}px`;
    const within = Math.min(Math.max(step, begin), run.step);
    write(bubble, `step ${stepText(within)}${lossNear(history, within)}`);
  }

  const drawShape = whenChanged((/** @type {History|null} */ history, /** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ _, /** @type {number} */ __) => {
    set(shape, "d", history === null ? "" : outline(history, from, to));
  });
  const drawMarks = whenChanged((/** @type {number} */ step, /** @type {number} */ newest, /** @type {boolean} */ isThen, /** @type {number} */ _, /** @type {number} */ __) => {
    at(hand, step);
    at(live, newest);
    at(ahead, newest);
    at(since, step);
    since.style.width = `${((share(newest) - share(step)) * 100).toFixed(3)}%`;
    set(live, "hidden", !isThen);
    set(since, "hidden", !isThen);
  });
  const drawGaps = whenChanged((/** @type {State["exact"]} */ exact, /** @type {number} */ _, /** @type {number} */ __) => {
    const places = thinned(exact, begin).filter(([from, to]) => share(to) - share(from) > 0.001);
    const marks = places.map(([from, to]) => {
      const mark = element("div", { class: "thinned", title: `Thinned out: steps ${stepText(from)} to ${stepText(to)}` });
      at(mark, from);
      mark.style.width = `${((share(to) - share(from)) * 100).toFixed(3)}%`;
      return mark;
    });
    gaps.replaceChildren(...marks);
  });
  return {
    root,
    /** @param {State} state */
    draw(state) {
      const { run, then, history, exact } = state;
      begin = run?.first_step ?? 0;
      end = run === null ? 1 : reach(begin, run.step, run.config.max_steps);
      const newest = run?.step ?? 0;
      drawShape(history, begin, end, history?.length ?? 0, history?.steps[history.length - 1] ?? -1);
      drawGaps(exact, begin, end);
      drawMarks(then?.step ?? newest, newest, then !== null, begin, end);
      set(root, "aria-valuemin", begin);
      set(root, "aria-valuemax", newest);
      set(root, "aria-valuenow", then?.step ?? newest);
      set(root, "aria-valuetext", valueText(state));
      set(root, "aria-disabled", !hasPast(run));
    },
    unmount: () => {},
  };
}

/** @param {State} state */
function valueText(state) {
  const { run, then } = state;
  if (run === null) return "no run";
  if (then === null) return `step ${stepText(run.step)}, live`;
  const loss = lossThen(state);
  return `step ${stepText(then.step)} of ${stepText(run.step)}, then${Number.isNaN(loss) ? "" : `, loss ${format(loss, 3)}`}`;
}

/** The loss of the record drawn nearest to a step. @param {History|null} history @param {number} step */
function lossNear(history, step) {
  if (history === null || history.length === 0) return "";
  let [low, high] = [0, history.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (history.steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  const loss = history.loss[low];
  return Number.isNaN(loss) ? "" : ` · loss ${format(loss, 3)}`;
}

/**
 * Drag anywhere; the slider's own keys beyond the page's.
 * @param {HTMLElement} root @param {Store} store @param {(event: PointerEvent) => number} stepAt
 * @param {(step: number|null, x: number) => void} say
 */
function listenTo(root, store, stepAt, say) {
  let isDragging = false;
  const visit = (/** @type {number} */ step) => store.dispatch({ type: "visit", step, isMoving: isDragging });
  root.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !hasPast(store.state.run)) return;
    isDragging = true;
    root.setPointerCapture(event.pointerId);
    store.dispatch({ type: "playback", direction: 0 });
    visit(stepAt(event));
  });
  root.addEventListener("pointermove", (event) => {
    const step = stepAt(event);
    if (isDragging) visit(step);
    say(step, event.clientX);
  });
  const end = () => {
    if (isDragging) store.dispatch({ type: "stand" });
    isDragging = false;
  };
  root.addEventListener("pointerup", end);
  root.addEventListener("pointercancel", end);
  root.addEventListener("pointerleave", () => say(null, 0));
  root.addEventListener("keydown", (event) => {
    const steps = { PageUp: 100, PageDown: -100, ArrowUp: 1, ArrowDown: -1 }[event.key];
    const { run, then } = store.state;
    if (steps === undefined || run === null || event.shiftKey) return;
    event.preventDefault();
    visit((then?.step ?? run.step) + steps);
  });
}
