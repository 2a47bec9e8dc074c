// Draws the norm of each parameter's gradient on a log axis, over those of overlaid runs. Knows
// nothing about where rows come from.

import { withOverlays } from "../compare/overlay_series.js";
import { norm } from "../lib/number.js";
import { overlayKey, quietOverlayLines } from "./chart/overlay_lines.js";
import { createChart } from "./chart.js";
import { whenChanged } from "./dom.js";

/** @import { ChartRows, Layout, Moment, Overlay, State, Store, View } from "../types.js" */

/**
 * One hue for four lines: weights are solid, biases dashed; the hidden layer is dark, the output
 * pale.
 */
const STYLES = [
  { colour: "var(--gradient)", width: 1.8 },
  { colour: "var(--gradient)", dash: [4, 3] },
  { colour: "color-mix(in oklab, var(--gradient) 55%, var(--edge))", width: 1.8 },
  { colour: "color-mix(in oklab, var(--gradient) 55%, var(--edge))", dash: [4, 3] },
];

/**
 * The parts of a name such as "hidden_linear.weight": the module, and ".weight".
 * @param {string} name
 */
function spelt(name) {
  const dot = name.lastIndexOf(".");
  return { group: name.slice(0, Math.max(dot, 0)), label: name.slice(Math.max(dot, 0)) };
}

/** @param {Moment} moment @param {Layout} layout */
function markOf({ step, values, gradStates }, { parameters }) {
  const norms = parameters.map(({ gradient, size }, i) =>
    gradStates[i] === "none" ? NaN : norm(values, gradient, size),
  );
  return { step, values: norms };
}

/** @param {HTMLElement} root @param {Store} store @returns {View} */
export function mount(root, store) {
  const pick = (/** @type {number} */ step) => store.dispatch({ type: "visit", step });
  /** @type {ReturnType<typeof createChart>|null} */
  let chart = null;
  const build = whenChanged((/** @type {Layout|null} */ layout, /** @type {string} */ _) => {
    chart?.unmount();
    const names = layout?.parameters.map(({ name }) => name) ?? [];
    const own = names.map((name, i) => ({ ...spelt(name), ...STYLES[i % STYLES.length] }));
    const others = quietOverlayLines(store.state.overlays, "var(--gradient)");
    chart = createChart(root, "‖.grad‖ by parameter (log)", [...own, ...others], pick);
  });
  const draw = whenChanged(
    (
      /** @type {unknown} */ _chart,
      /** @type {ChartRows|null} */ rows,
      /** @type {Overlay[]} */ overlays,
    ) => {
      const plotted = {
        steps: rows?.steps ?? [],
        lines: rows?.norms ?? [],
        length: rows?.length ?? 0,
      };
      chart?.draw(
        withOverlays(
          plotted,
          overlays.flatMap(({ series }) => series.slice(1)),
        ),
      );
    },
  );
  const mark = whenChanged(
    (
      /** @type {unknown} */ _chart,
      /** @type {State["visited"]} */ visited,
      /** @type {Moment|null} */ moment,
      /** @type {Layout|null} */ layout,
    ) =>
      chart?.mark(
        visited === null || moment === null || layout === null ? null : markOf(moment, layout),
      ),
  );
  const recolour = whenChanged((/** @type {boolean} */ _) => chart?.recolour());
  return {
    draw({ rows, layout, dark, visited, moment, overlays }) {
      build(layout, overlayKey(overlays));
      mark(chart, visited, visited && moment, layout);
      recolour(dark);
      draw(chart, rows, overlays);
    },
    unmount: () => chart?.unmount(),
  };
}
