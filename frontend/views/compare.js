// The dialog that compares runs: their loss, the norm of each gradient, and where they differ.
// Knows nothing about how runs are chosen.

import { distinct, lookOf, overlay, PARAMETERS } from "../compare/overlay_series.js";
import { divergenceText } from "../compare/run_tree.js";
import { format, stepText } from "../lib/format.js";
import { numberOf } from "../lib/number.js";
import { createChart } from "./chart.js";
import { head, present } from "./dialog.js";
import { element } from "./dom.js";

/** @import { Api } from "../api.js" */
/** @import { Divergence, Run, Series } from "../types.js" */

const CHARTS = [
  { series: "loss", heading: "Loss (log)", colour: "var(--loss)" },
  ...PARAMETERS.map((name) => ({
    series: `gradient_norm/${name}`,
    heading: `‖${name}.grad‖`,
    colour: "var(--gradient)",
  })),
];
const POINTS = 1200;
const REFRESH_MS = 2000;

/**
 * @param {Run[]} runs at least two; the others are compared with the first
 * @param {Pick<Api, "series"|"of"|"run">} api
 */
export async function openCompare(runs, api) {
  runs = distinct(runs);
  const dialog = element("dialog", {
    class: "dialog wide comparing",
    "aria-labelledby": "compare-title",
  });
  const words = element("ul", { class: "divergences", role: "status" });
  const cards = CHARTS.map(() => element("section", { class: "chart-card" }));
  dialog.append(
    head(dialog, `${runs.length} runs compared`, "compare-title"),
    words,
    element("div", { class: "overlays" }, ...cards),
  );
  const charts = CHARTS.map(({ heading, colour }, i) =>
    createChart(cards[i], heading, linesOf(runs, colour), () => {}, true),
  );
  dialog.addEventListener("close", () => charts.forEach((chart) => chart.unmount()));
  await present(dialog);
  await refresh(runs, api, charts, words, dialog);
}

/** @param {Run[]} runs @param {string} colour */
const linesOf = (runs, colour) =>
  runs.map(({ name }, i) => ({ label: name, ...lookOf(colour, i), width: 1.7 }));

/**
 * @param {Run[]} runs
 * @param {Pick<Api, "series"|"of"|"run">} api
 * @param {ReturnType<typeof createChart>[]} charts
 * @param {HTMLElement} words
 * @param {HTMLDialogElement} dialog
 */
async function refresh(runs, api, charts, words, dialog) {
  const names = CHARTS.map(({ series }) => series);
  const fresh = await Promise.all(
    runs.map(async ({ id, name }) => ({ ...(await api.run(id)), name })),
  );
  const found = await Promise.all(runs.map(({ id }) => api.series(id, names, POINTS)));
  if (!dialog.open) return;
  charts.forEach((chart, i) => chart.draw(overlay(found.map((series) => series[i]))));
  const texts = await Promise.all(fresh.slice(1).map((run) => divergence(fresh[0], run, api)));
  words.replaceChildren(...texts.map((text) => element("li", {}, text)));
  if (fresh.every(({ state }) => state !== "running")) return;
  setTimeout(
    () => dialog.open && void refresh(runs, api, charts, words, dialog).catch(() => dialog.close()),
    REFRESH_MS,
  );
}

/**
 * Where two runs differ, and their losses at the last common step.
 * @param {Run} one
 * @param {Run} other
 * @param {Pick<Api, "series"|"of">} api
 */
async function divergence(one, other, api) {
  /** @type {Divergence} */
  const found = await api.of(one.id, `divergence?other=${encodeURIComponent(other.id)}`);
  const words = divergenceText(one.name, other.name, found);
  if (found.step === null || found.last === null || found.last === 0) return words;
  const at = { from: found.last, to: found.last };
  const [mine, theirs] = await Promise.all(
    [one, other].map(({ id }) => api.series(id, ["loss"], 2, at)),
  );
  const loss = (/** @type {Series[]} */ [{ steps, values }]) =>
    steps.at(-1) === 0 || values.length === 0 ? "–" : format(numberOf(values.at(-1)), 4);
  const last = stepText(found.last);
  const losses = `${loss(mine)} and ${loss(theirs)}`;
  return `${words} At step ${last}, the last that both have, their losses are ${losses}.`;
}
