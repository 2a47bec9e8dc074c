// Loss on a log axis: training and validation, and the training loss of the runs laid over. Knows nothing about where
// rows come from.

import { laidOver, valueAt } from "../compare/overlay.js";
import { numberOf } from "../stream/protocol.js";
import { laidKey, namedLines } from "./chart/laid.js";
import { createChart } from "./chart.js";
import { whenChanged } from "./dom.js";

/** @import { History, Overlay, Run, State, Store, View } from "../types.js" */

/** @type {import("./chart.js").Line[]} */
const OWN = [
  { label: "training", colour: "var(--loss)", width: 1.8 },
  { label: "validation", colour: "var(--validation)", dash: [5, 3] },
];

/** @param {HTMLElement} root @param {Store} store @returns {View} */
export function mount(root, store) {
  const pick = (/** @type {number} */ step) => store.dispatch({ type: "visit", step });
  /** @type {ReturnType<typeof createChart>} */
  let chart;
  /** @type {ReturnType<typeof namedLines>} */
  let laid;
  const build = whenChanged((/** @type {string} */ _) => {
    chart?.unmount();
    laid = namedLines(store.state.overlays, store, "var(--loss)");
    chart = createChart(root, "Loss (log)", [...OWN, ...laid.lines], pick);
  });
  const draw = whenChanged(
    (
      /** @type {unknown} */ _chart,
      /** @type {History|null} */ history,
      /** @type {number} */ length,
      /** @type {number} */ _newest,
      /** @type {Overlay[]} */ overlays,
    ) => {
      const rows = {
        steps: history?.steps ?? [],
        lines: [history?.loss ?? [], history?.validation ?? []],
        length,
      };
      chart.draw(
        laidOver(
          rows,
          overlays.map(({ series }) => series[0]),
        ),
      );
    },
  );
  const mark = whenChanged(
    (
      /** @type {unknown} */ _chart,
      /** @type {State["then"]} */ then,
      /** @type {State["moment"]} */ moment,
      /** @type {Run|null} */ run,
      /** @type {Overlay[]} */ overlays,
    ) => {
      if (then === null || moment === null) return chart.mark(null);
      const others = overlays.map(({ series }) => valueAt(series[0], moment.step));
      chart.mark({
        step: moment.step,
        values: [numberOf(run?.loss), numberOf(run?.validation_loss), ...others],
      });
    },
  );
  const recolour = whenChanged((/** @type {boolean} */ _) => chart.recolour());
  return {
    draw({ history, dark, then, moment, run, overlays }) {
      build(laidKey(overlays));
      laid.say(overlays, run);
      recolour(dark);
      mark(chart, then, then && moment, then && run, overlays);
      draw(
        chart,
        history,
        history?.length ?? 0,
        history?.steps[history.length - 1] ?? -1,
        overlays,
      );
    },
    unmount: () => chart?.unmount(),
  };
}
