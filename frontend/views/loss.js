// Loss on a log axis: training and validation. Knows nothing about where rows come from.

import { createChart } from "./chart.js";
import { numberOf } from "../protocol.js";
import { whenChanged } from "./dom.js";
/** @import { History, Run, State, Store, View } from "../types.js" */

/** @param {HTMLElement} root @param {Store} store @returns {View} */
export function mount(root, store) {
  const pick = (/** @type {number} */ step) => store.dispatch({ type: "visit", step });
  const chart = createChart(root, "Loss (log)", [
    { label: "training", colour: "var(--loss)", width: 1.8 },
    { label: "validation", colour: "var(--validation)", dash: [5, 3] },
  ], pick);
  const draw = whenChanged(
    (/** @type {History|null} */ history, /** @type {number} */ length, /** @type {number} */ _newest) => {
      chart.draw({ steps: history?.steps ?? [], lines: [history?.loss ?? [], history?.validation ?? []], length });
    },
  );
  const mark = whenChanged((/** @type {State["then"]} */ then, /** @type {State["moment"]} */ moment, /** @type {Run|null} */ run) =>
    chart.mark(
      then === null || moment === null
        ? null
        : { step: moment.step, values: [numberOf(run?.loss), numberOf(run?.validation_loss)] },
    ),
  );
  const recolour = whenChanged((/** @type {boolean} */ _) => chart.recolour());
  return {
    draw({ history, dark, then, moment, run }) {
      recolour(dark);
      mark(then, then && moment, then && run);
      draw(history, history?.length ?? 0, history?.steps[history.length - 1] ?? -1);
    },
    unmount: chart.unmount,
  };
}
