// The timeline: controls that move through the run's steps, and the track. Knows nothing about how
// a step is loaded.

import { stepText } from "../lib/format.js";
import { parseCount, parseGrouped } from "../lib/number.js";
import { hasPast, playbackSpeed } from "../time/shown_moment.js";
import { barButton, element, set, whenChanged, write } from "./dom.js";
import { createTrack } from "./timeline/track.js";
/** @import { TimeCommands } from "../time/time_commands.js" */
/** @import { State, Store, View } from "../types.js" */

/**
 * @typedef {Object} TimelineActions
 * @property {TimeCommands} timeCommands
 * @property {() => void} branch continue from the step on the screen
 */

/**
 * @param {HTMLElement} root
 * @param {Store} store
 * @param {TimelineActions} ways
 * @returns {View & {follow: View["draw"]}} follow: draws the marker alone, for every frame
 */
export function mount(root, store, { timeCommands, branch }) {
  const play = createPlayback(store, timeCommands);
  const track = createTrack(store);
  const place = createPlace(store);
  const from = barButton("continue", "Continue", "A new run that goes on from this step", branch);
  from.append(element("span", { class: "wide-only" }, " from here"));
  const live = barButton("live", "Live", "Return to the newest step (L or Esc)", timeCommands.live);
  root.append(play.root, track.root, place.root, from, live);
  return {
    draw(state) {
      const { visited, run } = state;
      set(root, "data-visited", visited !== null);
      set(
        from,
        "disabled",
        run === null ||
          state.layout === null ||
          (visited !== null && visited.moment?.step !== visited.step),
      );
      set(live, "disabled", visited === null);
      set(live, "data-live", visited === null && run?.state === "running");
      set(live, "class", visited === null ? null : "primary");
      play.draw(state);
      place.draw(state);
      track.draw(state);
    },
    /** @param {State} state */
    follow: (state) => track.follow(state),
    unmount() {
      track.unmount();
      root.replaceChildren();
    },
  };
}

/** @param {Store} store @param {TimeCommands} timeCommands */
function createPlayback(store, timeCommands) {
  const back = barButton(
    "play-back",
    "◀",
    "Play the steps backwards (Shift+P)",
    timeCommands.playBackward,
  );
  const on = barButton("play-on", "▶", "Play the steps forwards (P)", timeCommands.playForward);
  const speed = element("input", {
    id: "playback-speed",
    inputmode: "decimal",
    autocomplete: "off",
    title: "Speed of playback; < and > change it",
  });
  const settle = () => {
    const wanted = parseGrouped(speed.value);
    if (wanted !== null && wanted > 0 && wanted <= 1e6)
      store.dispatch({ type: "playback", speed: wanted });
    speed.value = stepText(playbackSpeed(store.state));
  };
  speed.addEventListener("change", settle);
  speed.addEventListener("keydown", ({ key }) => {
    if (key === "Enter") settle();
    leave(key);
  });
  const draw = whenChanged(
    (/** @type {number} */ direction, /** @type {number} */ rate, /** @type {boolean} */ may) => {
      for (const [way, face, step, words] of /** @type {const} */ ([
        [back, "◀", -1, "backwards"],
        [on, "▶", 1, "forwards"],
      ])) {
        write(way, direction === step ? "❚❚" : face);
        set(way, "aria-label", direction === step ? "Stop playing" : `Play the steps ${words}`);
        set(way, "aria-pressed", String(direction === step));
        set(way, "disabled", !may);
      }
      speed.disabled = !may;
      if (document.activeElement !== speed) speed.value = stepText(rate);
    },
  );
  const label = element("label", { for: "playback-speed" }, "steps/s");
  return {
    root: element(
      "div",
      { class: "playback", role: "group", "aria-label": "Play the steps" },
      back,
      on,
      speed,
      label,
    ),
    /** @param {State} state */
    draw: (state) => draw(state.playback.direction, playbackSpeed(state), hasPast(state.run)),
  };
}

/**
 * After typing, give the focus to the track, so that keys move through steps again.
 * @param {string} key
 */
function leave(key) {
  if (key === "Enter" || key === "Escape") document.getElementById("track")?.focus();
}

/** The number of the step on the screen; another one can be typed. @param {Store} store */
function createPlace(store) {
  const input = element("input", {
    id: "place",
    inputmode: "numeric",
    autocomplete: "off",
    "aria-label": "Step to look at",
    title: "Type a step, then Enter",
  });
  const end = element("span", { class: "number" });
  const restore = () => {
    const { visited, run } = store.state;
    input.value = run === null ? "" : stepText(visited?.step ?? run.step);
  };
  const go = () => {
    const step = parseCount(input.value);
    if (step !== null) store.dispatch({ type: "visit", step });
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
    draw({ run, visited, rows }) {
      if (document.activeElement !== input) restore();
      input.disabled = !hasPast(run);
      write(
        end,
        run === null || run.config === null || rows === null
          ? ""
          : `/ ${stepText(visited === null ? run.config.max_steps : run.step)}`,
      );
    },
  };
}
