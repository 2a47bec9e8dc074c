// Runs laid over each other: their loss, the norm of each gradient, and where they part.
// Knows nothing about how runs are chosen.

import { format } from "../lib/format.js";
import { numberOf } from "../protocol.js";
import { stepText } from "../then.js";
import { partingWords } from "../tree.js";
import { createChart } from "./chart.js";
import { head, present } from "./dialog.js";
import { element } from "./dom.js";
/** @import { Api } from "../api.js" */
/** @import { Series } from "../archive.js" */
/** @import { Rows } from "./chart.js" */
/** @import { Divergence } from "../tree.js" */
/** @import { Run } from "../types.js" */

/** As named layers are called; the server knows numbered ones by these names too. */
const PARAMETERS = ["hidden_linear.weight", "hidden_linear.bias", "output_linear.weight", "output_linear.bias"];
const CHARTS = [
  { series: "loss", heading: "Loss (log)", colour: "var(--loss)" },
  ...PARAMETERS.map((name) => ({ series: `gradient_norm/${name}`, heading: `‖${name}.grad‖`, colour: "var(--gradient)" })),
];
const DASHES = [undefined, [7, 4], [2, 3], [9, 3, 2, 3], [4, 6]];
const POINTS = 1200;
const REFRESH_MS = 2000;

/** @param {Run[]} runs at least two, the one that the others are held against first @param {Pick<Api, "series"|"of"|"run">} api */
export async function openCompare(runs, api) {
  runs = distinct(runs);
  const dialog = element("dialog", { class: "dialog wide comparing", "aria-labelledby": "compare-title" });
  const words = element("ul", { class: "partings", role: "status" });
  const cards = CHARTS.map(() => element("section", { class: "chart-card" }));
  dialog.append(head(dialog, `${runs.length} runs, laid over each other`, "compare-title"), words, element("div", { class: "overlays" }, ...cards));
  const charts = CHARTS.map(({ heading, colour }, i) => createChart(cards[i], heading, linesOf(runs, colour), () => {}, true));
  dialog.addEventListener("close", () => charts.forEach((chart) => chart.unmount()));
  await present(dialog);
  await refresh(runs, api, charts, words, dialog);
}

/** Of runs with one name each says its id too. @param {Run[]} runs */
function distinct(runs) {
  const count = (/** @type {string} */ name) => runs.filter((run) => run.name === name).length;
  return runs.map((run) => (count(run.name) > 1 ? { ...run, name: `${run.name} (${run.id})` } : run));
}

/** Each run has its dash, and a tone between the colour of the idea and ink. @param {Run[]} runs @param {string} colour */
function linesOf(runs, colour) {
  return runs.map(({ name }, i) => ({
    label: name,
    colour: `color-mix(in oklab, ${colour} ${100 - (i % 4) * 28}%, var(--ink))`,
    dash: DASHES[i % DASHES.length],
    width: 1.7,
  }));
}

/**
 * @param {Run[]} runs @param {Pick<Api, "series"|"of"|"run">} api @param {ReturnType<typeof createChart>[]} charts
 * @param {HTMLElement} words @param {HTMLDialogElement} dialog
 */
async function refresh(runs, api, charts, words, dialog) {
  const names = CHARTS.map(({ series }) => series);
  const fresh = await Promise.all(runs.map(async ({ id, name }) => ({ ...(await api.run(id)), name })));
  const found = await Promise.all(runs.map(({ id }) => api.series(id, names, POINTS)));
  if (!dialog.open) return;
  charts.forEach((chart, i) => chart.draw(overlay(found.map((series) => series[i]))));
  const texts = await Promise.all(fresh.slice(1).map((run) => parting(fresh[0], run, api)));
  words.replaceChildren(...texts.map((text) => element("li", {}, text)));
  if (fresh.every(({ state }) => state !== "running")) return;
  setTimeout(() => dialog.open && void refresh(runs, api, charts, words, dialog).catch(() => dialog.close()), REFRESH_MS);
}

/** One axis of steps for all; where a series has no value there is NaN. @param {Series[]} series @returns {Rows} */
export function overlay(series) {
  const steps = [...new Set(series.flatMap((one) => one.steps))].sort((a, b) => a - b);
  const row = new Map(steps.map((step, i) => [step, i]));
  const lines = series.map((one) => {
    const line = new Float64Array(steps.length).fill(NaN);
    one.steps.forEach((step, i) => (line[/** @type {number} */ (row.get(step))] = numberOf(one.values[i])));
    return line;
  });
  return { steps, lines, length: steps.length };
}

/** Where two part, and what has become of it. @param {Run} one @param {Run} other @param {Pick<Api, "series"|"of">} api */
async function parting(one, other, api) {
  /** @type {Divergence} */
  const found = await api.of(one.id, `divergence?other=${encodeURIComponent(other.id)}`);
  const words = partingWords(one.name, other.name, found);
  if (found.step === null || found.last === null || found.last === 0) return words;
  const at = { from: found.last, to: found.last };
  const [mine, theirs] = await Promise.all([one, other].map(({ id }) => api.series(id, ["loss"], 2, at)));
  const loss = (/** @type {Series[]} */ [series]) => format(numberOf(series.values.at(-1)), 4);
  return `${words} At step ${stepText(found.last)}, the last that both have, the loss is ${loss(mine)} against ${loss(theirs)}.`;
}
