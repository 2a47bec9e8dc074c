// Loss on a log axis: training and validation. Knows nothing about where rows come from.

import { createChart } from "./chart.js";
import { whenChanged } from "./dom.js";
/** @import { History, Store, View } from "../types.js" */

/** @param {HTMLElement} root @param {Store} _store @returns {View} */
export function mount(root, _store) {
  const chart = createChart(root, "Loss (log)", [
    { label: "training", colour: "var(--loss)", width: 1.8 },
    { label: "validation", colour: "var(--validation)", dash: [5, 3] },
  ]);
  const draw = whenChanged(
    (/** @type {History|null} */ history, /** @type {number} */ length, /** @type {number} */ _newest) => {
      chart.draw({ steps: history?.steps ?? [], lines: [history?.loss ?? [], history?.validation ?? []], length });
    },
  );
  const recolour = whenChanged((/** @type {boolean} */ _) => chart.recolour());
  return {
    draw({ history, dark }) {
      recolour(dark);
      draw(history, history?.length ?? 0, history?.steps[history.length - 1] ?? -1);
    },
    unmount: chart.unmount,
  };
}
