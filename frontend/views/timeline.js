// How far the run has come, over the silhouette of its loss.
// Knows nothing about moving through time.

import { element, set, svg, whenChanged, write } from "./dom.js";
/** @import { History, Store, View } from "../types.js" */

const WIDTH = 1000;
const HEIGHT = 100;
const COLUMNS = 250;

/** @param {HTMLElement} root @param {Store} _store @returns {View} */
export function mount(root, _store) {
  const shape = svg("path", { class: "silhouette" });
  const hand = svg("line", { class: "hand", y1: 0, y2: HEIGHT });
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    shape,
    hand,
  );
  const text = element("span", { class: "number" });
  root.append(element("div", { class: "track" }, picture), text);
  const draw = whenChanged(
    (
      /** @type {History|null} */ history,
      /** @type {number} */ step,
      /** @type {number} */ steps,
      /** @type {number} */ _,
    ) => {
      set(shape, "d", history === null ? "" : silhouette(history, steps));
      set(hand, "x1", ((step / steps) * WIDTH).toFixed(1));
      set(hand, "x2", ((step / steps) * WIDTH).toFixed(1));
      set(hand, "visibility", history === null ? "hidden" : null);
      write(text, history === null ? "" : `${step.toLocaleString("en")} / ${steps.toLocaleString("en")}`);
    },
  );
  return {
    draw: ({ history, run }) => draw(history, run?.step ?? 0, run?.config.max_steps ?? 1, history?.length ?? 0),
    unmount: () => root.replaceChildren(),
  };
}

/** The largest loss of each column, on a log scale. @param {History} history @param {number} steps */
function silhouette({ steps: at, loss, length }, steps) {
  const columns = new Float64Array(COLUMNS + 1);
  let [low, high] = [Infinity, 0];
  for (let i = 0; i < length; i++) {
    if (!(loss[i] > 0) || loss[i] === Infinity) continue;
    const column = Math.min(COLUMNS, Math.round((at[i] / steps) * COLUMNS));
    columns[column] = Math.max(columns[column], loss[i]);
    [low, high] = [Math.min(low, loss[i]), Math.max(high, loss[i])];
  }
  return high > 0 ? outline(columns, Math.log(low), Math.log(high)) : "";
}

/** @param {Float64Array} columns @param {number} low @param {number} high */
function outline(columns, low, high) {
  let path = "";
  let last = 0;
  columns.forEach((value, i) => {
    if (value === 0) return;
    const share = high > low ? (Math.log(value) - low) / (high - low) : 1;
    last = (i / COLUMNS) * WIDTH;
    path += `${path === "" ? `M${last} ${HEIGHT}` : ""}L${last} ${(HEIGHT - (0.06 + 0.9 * share) * HEIGHT).toFixed(1)}`;
  });
  return `${path}L${last} ${HEIGHT}Z`;
}
