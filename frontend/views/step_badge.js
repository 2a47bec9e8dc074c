// The badge on the drawing that says when a past step is shown, and which steps are kept around one
// that was thinned out. Knows nothing about the timeline.

import { stepText } from "../lib/format.js";
import { element, keepFocus, set, whenChanged } from "./dom.js";
/** @import { State, Store, View } from "../types.js" */

/** @param {HTMLElement} root @param {Store} store @returns {View} */
export function mount(root, store) {
  const badge = element("p", { class: "when", hidden: true });
  root.append(badge);
  const visit = (/** @type {number} */ step) => store.dispatch({ type: "visit", step });
  const draw = whenChanged(
    (
      /** @type {number|null} */ step,
      /** @type {string} */ newest,
      /** @type {number|null} */ drawn,
      /** @type {number[]|null} */ kept,
    ) => {
      set(badge, "hidden", step === null);
      set(root, "data-visited", step !== null);
      if (step !== null) badge.replaceChildren(...words(step, newest, drawn, kept, visit));
    },
  );
  return {
    draw: ({ visited, run }) =>
      draw(
        visited?.step ?? null,
        liveText(run),
        visited?.moment?.step ?? null,
        visited?.kept ?? null,
      ),
    unmount: () => badge.remove(),
  };
}

/** @param {State["run"]} run */
function liveText(run) {
  const step = stepText(run?.step ?? 0);
  return run?.state === "running" ? `training is at step ${step}` : `the newest is step ${step}`;
}

/**
 * @param {number} step
 * @param {string} newest
 * @param {number|null} drawn
 * @param {number[]|null} kept
 * @param {(step: number) => void} visit
 */
function words(step, newest, drawn, kept, visit) {
  const now = element("span", {}, newest);
  if (kept === null)
    return [element("strong", {}, `step ${stepText(step)}`), element("span", {}, "is shown;"), now];
  const offers = kept.map((one) =>
    element(
      "button",
      { type: "button", onclick: () => visit(one), onmousedown: keepFocus },
      stepText(one),
    ),
  );
  const instead = drawn === null || drawn === step ? "" : ` Drawn: step ${stepText(drawn)}.`;
  return [
    element("strong", {}, `step ${stepText(step)} was thinned out`),
    element("span", {}, `${kept.length > 0 ? "— nearest kept:" : ""}`),
    ...offers,
    element("span", {}, `${instead} ${newest}`),
  ];
}
