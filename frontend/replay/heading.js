// The top bar of a replay: which run this is, which step is shown, and which steps the file holds.
// Knows nothing about the timeline.

import { configText } from "../texts.js";
import { element, keepFocus, set, whenChanged, write } from "../views/dom.js";
/** @import { Facts } from "./recording.js" */
/** @import { Run, View } from "../types.js" */

/**
 * @param {HTMLElement} root
 * @param {Facts} facts
 * @param {number} kept steps
 * @param {() => void} turnTheme
 * @returns {View}
 */
export function mount(root, { run, steps, size_bytes }, kept, turnTheme) {
  const config = element("span", { class: "run-config" });
  const step = element("span", { class: "step-number", id: "step" });
  const theme = element("button", {
    type: "button",
    class: "icon",
    onclick: turnTheme,
    onmousedown: keepFocus,
  });
  root.append(
    element("h1", { class: "brand" }, "livegrad"),
    element(
      "div",
      { class: "run-words" },
      element("strong", { class: "run-name" }, run.name),
      config,
    ),
    element("span", { class: "badge", "data-mood": "calm" }, "replay"),
    step,
    element("span", { class: "spring" }),
    element(
      "span",
      { class: "recorded", title: `${ORIGIN} ${when(run)}, run ${run.id}` },
      keptText(steps, kept, size_bytes),
    ),
    theme,
  );
  const drawRun = whenChanged((/** @type {Run|null} */ shown) => {
    write(config, configText(run.config, shown?.lr ?? run.lr));
    write(
      step,
      `step ${(shown?.step ?? run.step).toLocaleString("en")} / ${run.step.toLocaleString("en")}`,
    );
  });
  const drawTheme = whenChanged((/** @type {boolean} */ dark) => {
    write(theme, dark ? "☀" : "☾");
    set(theme, "aria-label", dark ? "Light theme" : "Dark theme");
  });
  return {
    draw(state) {
      drawRun(state.run);
      drawTheme(state.dark);
    },
    unmount: () => root.replaceChildren(),
  };
}

const ORIGIN = "PyTorch's own numbers, bit for bit, recorded with livegrad on";

/** @param {Run} run */
function when({ created_at }) {
  return new Date(created_at).toLocaleDateString("en", {
    year: "numeric",
    month: "long",
    day: "numeric",
  });
}

/** @param {number} steps @param {number} kept @param {number} size */
function keptText(steps, kept, size) {
  const all = steps.toLocaleString("en");
  if (kept >= steps) return `all ${all} steps are in this file`;
  const limit = (size / 1e6).toLocaleString("en");
  const some = `${kept.toLocaleString("en")} of ${all} steps`;
  return `${some} are in this file, spikes included: thinned to ${limit} MB`;
}
