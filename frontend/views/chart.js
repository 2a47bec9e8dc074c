// Draws lines over steps on a log axis with uPlot, and shows the values under the cursor. Knows
// nothing about what the lines mean.

import { format } from "../lib/format.js";
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { createEnds } from "./chart/ends.js";
import { logTicks } from "./chart/ticks.js";
import { element, set, svg, write, zoom } from "./dom.js";
import { colour } from "./palette.js";

/**
 * @typedef {Object} Line
 * @property {string} label
 * @property {string} [group] what several lines have in common, written once
 * @property {string} colour CSS expression
 * @property {number[]} [dash]
 * @property {number} [width]
 * @property {HTMLElement} [tail] stands behind its name and value, in a row of its own
 * @property {boolean} [isQuiet] it is drawn, but not in the key
 */

/** @typedef {{steps: ArrayLike<number>, lines: ArrayLike<number>[], length: number}} PlotRows */
/**
 * The visited step, and each line's value there.
 * @typedef {{step: number, values: number[]}} Mark
 */

/**
 * @param {HTMLElement} root
 * @param {string} heading
 * @param {Line[]} lines
 * @param {(step: number) => void} pick called when a step was clicked
 * @param {boolean} [isNamed] write each line's name at its end
 */
export function createChart(root, heading, lines, pick, isNamed = false) {
  const hasOthers = lines.some(({ tail, isQuiet }) => tail !== undefined || isQuiet);
  const readout = createReadout(lines, isNamed || hasOthers);
  const box = element("div", { class: "chart" });
  const empty = element("p", { class: "chart-empty" }, "Nothing yet: training has not begun.");
  root.replaceChildren(
    element("div", { class: "card-head" }, element("h2", {}, heading), readout.at),
    readout.root,
    box,
    empty,
  );
  /** @type {PlotRows} */
  let rows = { steps: [], lines: lines.map(() => []), length: 0 };
  /** @type {Mark|null} */
  let mark = null;
  const hand = element("div", { class: "chart-hand", hidden: true });
  /** @type {ReturnType<typeof createEnds>|null} */
  let ends = null;
  const place = (/** @type {uPlot} */ chart) => {
    ends?.(chart, rows);
    const [from, to] = [chart.scales.x.min ?? 0, chart.scales.x.max ?? 0];
    set(hand, "hidden", mark === null || mark.step < from || mark.step > to);
    if (mark !== null) hand.style.left = `${chart.valToPos(mark.step, "x")}px`;
  };
  const plot = new uPlot(
    options(lines, (chart) => readout.show(rows, chart.cursor.idx ?? null, mark), place),
    [[], ...lines.map(() => [])],
    box,
  );
  plot.over.append(hand);
  if (isNamed) ends = createEnds(plot.over, lines);
  plot.over.addEventListener(
    "click",
    () => plot.cursor.idx != null && pick(rows.steps[plot.cursor.idx]),
  );
  const watch = new ResizeObserver(
    ([
      {
        contentRect: { width, height },
      },
    ]) => {
      if (width > 40 && height > 40)
        plot.setSize({ width: Math.floor(width), height: Math.floor(height) });
    },
  );
  watch.observe(box);
  return {
    /** @param {Mark|null} visited */
    mark(visited) {
      mark = visited;
      place(plot);
      readout.show(rows, plot.cursor.idx ?? null, mark);
    },
    /** @param {PlotRows} newest */
    draw(newest) {
      rows = newest;
      set(empty, "hidden", rows.length > 1);
      set(box, "data-empty", rows.length <= 1);
      plot.setData(dataOf(rows));
      ends?.(plot, rows);
      readout.show(rows, plot.cursor.idx ?? null, mark);
    },
    recolour: () => plot.redraw(false, true),
    unmount() {
      watch.disconnect();
      plot.destroy();
      root.replaceChildren();
    },
  };
}

/**
 * The values that a log axis can show; the others are gaps. The first line is drawn last, on top.
 * @param {PlotRows} rows
 * @returns {uPlot.AlignedData}
 */
function dataOf({ steps, lines, length }) {
  const positive = lines.map((line) => {
    const made = new Array(length);
    for (let i = 0; i < length; i++) made[i] = line[i] > 0 && line[i] < Infinity ? line[i] : null;
    return made;
  });
  return [Array.prototype.slice.call(steps, 0, length), ...positive.reverse()];
}

/**
 * @param {Line[]} lines
 * @param {(chart: uPlot) => void} onCursor
 * @param {(chart: uPlot) => void} onScale
 * @returns {uPlot.Options}
 */
function options(lines, onCursor, onScale) {
  return {
    width: 240,
    height: 120,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    hooks: { setCursor: [onCursor], setScale: [onScale], setSize: [onScale] },
    padding: [6, 18, 0, 0],
    scales: {
      x: { time: false, range: (_, from, to) => [from ?? 0, Math.max(to ?? 1, (from ?? 0) + 1)] },
      y: { distr: 3, log: 10, range: (_, low, high) => logRange(low, high) },
    },
    axes: [
      {
        ...axis(),
        size: 24 * zoom(),
        space: 54 * zoom(),
        values: (_, splits) =>
          splits.map((step) => (Number.isInteger(step) ? step.toLocaleString("en") : "")),
      },
      {
        ...axis(),
        size: 44 * zoom(),
        incrs: (_, __, low, high) => [Number(`1e${Math.ceil(Math.log10(high - low))}`)],
        splits: (_, __, low, high) => logTicks(low, high),
        filter: (_, splits) => splits,
        values: (_, splits) => splits.map(tickText),
      },
    ],
    series: [{}, ...lines.map(seriesOf).reverse()],
  };
}

/** @param {Line} line @returns {uPlot.Series} */
function seriesOf(line) {
  return {
    label: line.label,
    stroke: () => colour(line.colour),
    width: (line.width ?? 1.6) * zoom(),
    dash: line.dash,
    spanGaps: true,
    points: { show: false },
  };
}

/** @returns {uPlot.Axis} */
function axis() {
  return {
    stroke: () => colour("var(--muted)"),
    font: `${Math.round(10.4 * zoom())}px system-ui, sans-serif`,
    gap: 4,
    grid: { stroke: () => colour("var(--line)"), width: 1 },
    ticks: { show: false },
  };
}

/** @param {number|null} low @param {number|null} high @returns {[number, number]} */
function logRange(low, high) {
  if (low === null || high === null || !(low > 0) || !(high > 0)) return [0.1, 10];
  return [low / 1.15, high * 1.15];
}

/** @param {number} value */
function tickText(value) {
  if (value >= 0.01 && value < 10000) return String(Number(value.toPrecision(3)));
  return value.toExponential(0).replace("e+", "e").replace("-", "−");
}

/**
 * The names of the lines with their values at the cursor, or else the newest ones.
 * @param {Line[]} lines
 * @param {boolean} isLast show each line's own newest value
 */
function createReadout(lines, isLast) {
  const at = element("span", { class: "chart-at" });
  const values = lines.map(() => element("span", { class: "number" }));
  const entries = lines
    .map((line, i) => ({ line, entry: entryOf(line, values[i]) }))
    .filter(({ line }) => !line.isQuiet);
  const groups = [
    ...new Set(entries.filter(({ line }) => !line.tail).map(({ line }) => line.group ?? "")),
  ];
  const rows = groups.map((group) => {
    const members = entries
      .filter(({ line }) => !line.tail && (line.group ?? "") === group)
      .map(({ entry }) => entry);
    const name = group === "" ? "" : element("span", { class: "group" }, group);
    return element("div", { class: "readout-row" }, name, ...members);
  });
  const own = entries.flatMap(({ line, entry }) =>
    line.tail ? [element("div", { class: "readout-row" }, entry, line.tail)] : [],
  );
  rows.push(...own);
  return {
    at,
    root: element("div", { class: "readout" }, ...rows),
    /** @param {PlotRows} shown @param {number|null} cursor @param {Mark|null} mark */
    show(shown, cursor, mark) {
      if (cursor === null && mark !== null) {
        write(at, `step ${mark.step.toLocaleString("en")}`);
        return values.forEach((value, i) =>
          write(value, Number.isNaN(mark.values[i] ?? NaN) ? "–" : format(mark.values[i], 3)),
        );
      }
      const row = Math.min(cursor ?? Infinity, shown.length - 1);
      const isEmpty = shown.length <= 1;
      const where = () =>
        isLast && cursor === null
          ? "newest values"
          : `step ${shown.steps[row].toLocaleString("en")}`;
      write(at, isEmpty ? "" : where());
      const isPast = isLast || cursor !== null;
      const textOf = (/** @type {number} */ number) =>
        isPast && Number.isNaN(number) ? "–" : format(number, 3); // no number so far
      values.forEach((value, i) =>
        write(value, isEmpty ? "" : textOf(known(shown.lines[i], row, isPast))),
      );
    },
  };
}

/** @param {Line} line @param {HTMLElement} value */
function entryOf({ label, colour: stroke, dash }, value) {
  const swatch = svg("svg", { class: "swatch", viewBox: "0 0 22 4", "aria-hidden": "true" });
  swatch.append(svg("line", { x1: 0, x2: 22, y1: 2, y2: 2, "stroke-dasharray": dash?.join(" ") }));
  swatch.style.color = stroke;
  return element("span", { class: "entry" }, swatch, label, " ", value);
}

/**
 * The value at a row; in a thinned line, the nearest earlier value.
 * @param {ArrayLike<number>} line
 * @param {number} row
 * @param {boolean} isPast
 */
function known(line, row, isPast) {
  let at = row;
  while (isPast && at > 0 && Number.isNaN(line[at])) at--;
  return line[at];
}
