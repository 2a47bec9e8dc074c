// Draws the loss on a log axis: training, validation, and the training loss of overlaid runs. Knows
// nothing about where rows come from.

import { valueAt, withOverlays } from "../compare/overlay_series.js";
import { numberOf } from "../lib/number.js";
import { lossOfStep } from "../texts.js";
import { namedOverlayLines, overlayKey } from "./chart/overlay_lines.js";
import { createChart } from "./chart.js";
import { set, whenChanged } from "./dom.js";

/** @import { ChartRows, Overlay, Run, State, Store, View } from "../types.js" */

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
  /** @type {ReturnType<typeof namedOverlayLines>} */
  let lines;
  const build = whenChanged((/** @type {string} */ _) => {
    chart?.unmount();
    lines = namedOverlayLines(store.state.overlays, store, "var(--loss)");
    chart = createChart(root, "Loss (log)", [...OWN, ...lines.lines], pick);
  });
  const draw = whenChanged(
    (
      /** @type {unknown} */ _chart,
      /** @type {ChartRows|null} */ rows,
      /** @type {Overlay[]} */ overlays,
    ) => {
      const plotted = {
        steps: rows?.steps ?? [],
        lines: [rows?.loss ?? [], rows?.validation ?? []],
        length: rows?.length ?? 0,
      };
      chart.draw(
        withOverlays(
          plotted,
          overlays.map(({ series }) => series[0]),
        ),
      );
    },
  );
  const mark = whenChanged(
    (
      /** @type {unknown} */ _chart,
      /** @type {State["visited"]} */ visited,
      /** @type {State["moment"]} */ moment,
      /** @type {Run|null} */ run,
      /** @type {Overlay[]} */ overlays,
    ) => {
      if (visited === null || moment === null) return chart.mark(null);
      const others = overlays.map(({ series }) => valueAt(series[0], moment.step));
      chart.mark({
        step: moment.step,
        values: [numberOf(run?.loss), numberOf(run?.validation_loss), ...others],
      });
    },
  );
  const recolour = whenChanged((/** @type {boolean} */ _) => chart.recolour());
  return {
    draw({ rows, dark, visited, moment, run, overlays }) {
      build(overlayKey(overlays));
      lines.say(overlays, run);
      recolour(dark);
      mark(chart, visited, visited && moment, visited && run, overlays);
      const step = moment?.step ?? 0;
      const heading = root.querySelector("h2");
      if (heading !== null) set(heading, "title", step === 0 ? null : lossOfStep(step));
      draw(chart, rows, overlays);
    },
    unmount: () => chart?.unmount(),
  };
}
