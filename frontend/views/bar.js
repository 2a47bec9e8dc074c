// The top bar: the run's name, configuration and state, and buttons that lead to other runs. Knows
// nothing about the training controls.

import { stepText } from "../lib/format.js";
import { configText, stateText } from "../texts.js";
import { element, keepFocus, set, whenChanged, write } from "./dom.js";
/** @import { Run, RunConfig, State, Store, View } from "../types.js" */

/**
 * @typedef {Object} Actions
 * @property {() => void} runs
 * @property {() => void} newRun
 * @property {() => void} help
 * @property {() => void} theme
 * @property {(id: string, step: number) => void} parent open the run that this one continues
 */

/** @param {HTMLElement} root @param {Store} _store @param {Actions} actions @returns {View} */
export function mount(root, _store, actions) {
  const name = element("strong", { class: "run-name" });
  const config = element("span", { class: "run-config" });
  const badge = element("span", { class: "badge", id: "state", role: "status" });
  const step = element("span", { class: "step-number", id: "step" });
  const from = element("span", { class: "run-parent" });
  const theme = element("button", {
    type: "button",
    class: "icon",
    onclick: actions.theme,
    onmousedown: keepFocus,
  });
  root.append(
    element("h1", { class: "brand" }, "livegrad"),
    element("div", { class: "run-words" }, name, from, config),
    badge,
    step,
    element("span", { class: "spring" }),
    element(
      "button",
      { type: "button", id: "open-runs", onclick: actions.runs, onmousedown: keepFocus },
      "Runs",
    ),
    element(
      "button",
      { type: "button", id: "open-form", onclick: actions.newRun, onmousedown: keepFocus },
      "New run",
    ),
    element("span", { id: "export" }),
    theme,
    element(
      "button",
      {
        type: "button",
        class: "icon",
        "aria-label": "Help and keys",
        title: "Help and keys (?)",
        onclick: actions.help,
        onmousedown: keepFocus,
      },
      "?",
    ),
  );
  const drawRun = whenChanged((/** @type {State["run"]} */ run) => {
    write(name, run?.name ?? "");
    write(config, run === null ? "" : configText(run.config, run.lr));
    write(step, run === null || run.config === null ? "" : progressText(run.step, run.config));
    set(config, "title", config.textContent);
  });
  const drawParent = whenChanged(
    (/** @type {Run["parent"]} */ parent, /** @type {string|null} */ parentName) => {
      from.replaceChildren(...(parent == null ? [] : parentParts(parent, parentName, actions)));
    },
  );
  const drawTheme = whenChanged((/** @type {boolean} */ dark) => {
    write(theme, dark ? "☀" : "☾");
    set(theme, "aria-label", dark ? "Light theme" : "Dark theme");
    set(theme, "title", dark ? "Light theme" : "Dark theme");
  });
  return {
    draw(state) {
      const { text, mood } = stateText(state);
      write(badge, text);
      set(badge, "data-mood", mood);
      drawRun(state.run);
      const { parent = null } = state.run ?? {};
      drawParent(parent, state.runs.find(({ id }) => id === parent?.run)?.name ?? null);
      drawTheme(state.dark);
      drawTitle(state.run?.name, text);
    },
    unmount: () => root.replaceChildren(),
  };
}

/** @param {number} step @param {RunConfig} config */
const progressText = (step, config) => `step ${stepText(step)} / ${stepText(config.max_steps)}`;

/**
 * @param {{run: string, step: number}} parent
 * @param {string|null} name null: it was deleted
 * @param {Actions} actions
 */
function parentParts({ run, step }, name, actions) {
  const at = `step ${stepText(step)}`;
  if (name === null) return [`continues a run that was deleted, from ${at}`];
  const link = element(
    "button",
    {
      type: "button",
      class: "link",
      id: "open-parent",
      onclick: () => actions.parent(run, step),
      onmousedown: keepFocus,
    },
    name,
  );
  return ["continues ", link, ` from ${at}`];
}

const drawTitle = whenChanged(
  (/** @type {string|undefined} */ name, /** @type {string} */ text) => {
    document.title = name === undefined ? "livegrad" : `${name}, ${text} – livegrad`;
  },
);
