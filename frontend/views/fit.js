// Draws the model's output over the data, with residuals. Points of the validation set are hollow.
// Knows nothing about where the numbers come from.

import { curve, forward } from "../lib/forward.js";
import { ticks } from "../lib/scale.js";
import { element, set, svg, whenChanged, write, zoom } from "./dom.js";

/** @import { Axis, Layout, Moment, Run, RunData, Store, View } from "../types.js" */

const SAMPLES = 97;
const MARGIN = { left: 38, right: 10, top: 8, bottom: 20 };

/**
 * Where numbers stand, in pixels.
 * @typedef {Object} Frame
 * @property {(value: number) => number} x
 * @property {(value: number) => number} y
 * @property {number} left
 * @property {number} right
 * @property {number} top
 * @property {number} bottom
 * @property {{x: [number, number], y: [number, number]}} range
 */

/** @param {HTMLElement} root @param {Store} store @returns {View} */
export function mount(root, store) {
  const title = element("h2");
  const picture = svg("svg", { class: "plot", role: "img" });
  const key = element("p", { class: "key" });
  key.append(...keyParts());
  const box = element("div", { class: "plot-box" }, picture);
  root.append(element("div", { class: "card-head" }, title, key), box);
  const size = { width: 0, height: 0 };
  const watch = new ResizeObserver(([entry]) => {
    size.width = Math.round(entry.contentRect.width);
    size.height = Math.round(entry.contentRect.height);
    store.dispatch({ type: "resized" });
  });
  watch.observe(box);
  /** @type {ReturnType<typeof createPlot>|null} */
  let plot = null;
  const build = whenChanged(
    (
      /** @type {RunData|null} */ data,
      /** @type {number} */ width,
      /** @type {number} */ height,
    ) => {
      plot =
        data === null || width < 60 || height < 60
          ? null
          : createPlot(picture, data, width, height);
      if (data === null) picture.replaceChildren(); // another run, or one that was deleted
      write(title, data === null ? "Fit" : `Fit: ${axisName(data.y)} against ${axisName(data.x)}`);
    },
  );
  return {
    draw({ data, moment, layout, run }) {
      build(data, size.width, size.height);
      if (moment !== null && layout !== null && run !== null) plot?.draw(moment, layout, run);
    },
    unmount() {
      watch.disconnect();
      root.replaceChildren();
    },
  };
}

function keyParts() {
  const mark = (/** @type {string} */ kind) =>
    element("i", { class: `mark ${kind}`, "aria-hidden": "true" });
  return [mark("train"), "training ", mark("validation"), "validation ", mark("answer"), "model"];
}

/**
 * @param {SVGSVGElement} picture
 * @param {RunData} data
 * @param {number} width
 * @param {number} height
 */
function createPlot(picture, data, width, height) {
  const frame = frameOf(data, width, height);
  const line = svg("path", { class: "answer", "clip-path": "url(#fit-clip)" });
  const train = pointsOf(data.train, data, "train", frame);
  const validation = pointsOf(data.validation, data, "validation", frame);
  const clip = svg(
    "clipPath",
    { id: "fit-clip" },
    svg("rect", {
      x: frame.left,
      y: frame.top,
      width: frame.right - frame.left,
      height: frame.bottom - frame.top,
    }),
  );
  set(picture, "viewBox", `0 0 ${width} ${height}`);
  set(
    picture,
    "aria-label",
    `${data.y.name} against ${data.x.name}: the points and the model's answer`,
  );
  const residuals = svg(
    "g",
    { "clip-path": "url(#fit-clip)" },
    ...[...train, ...validation].map(({ residual }) => residual),
  );
  picture.replaceChildren(
    clip,
    ...axes(frame, data),
    residuals,
    line,
    ...[...train, ...validation].map(({ dot }) => dot),
  );
  const xs = Array.from(
    { length: SAMPLES },
    (_, i) => frame.range.x[0] + ((frame.range.x[1] - frame.range.x[0]) * i) / (SAMPLES - 1),
  );
  const ys = new Float64Array(SAMPLES);
  return {
    /** @param {Moment} moment @param {Layout} layout @param {Run} run */
    draw({ values }, layout, { config }) {
      if (config === null) return;
      curve(values, layout, config.activation, xs, ys);
      set(line, "d", pathOf(xs, ys, frame));
      for (const point of [...train, ...validation])
        point.draw(forward(values, layout, config.activation, point.x));
    },
  };
}

/** @param {RunData} data @param {number} width @param {number} height @returns {Frame} */
function frameOf(data, width, height) {
  const range = {
    x: widened([...data.train.x, ...data.validation.x], 0.05),
    y: widened([...data.train.y, ...data.validation.y], 0.14),
  };
  const unit = zoom();
  const [left, right, top, bottom] = [
    MARGIN.left * unit,
    width - MARGIN.right,
    MARGIN.top,
    height - MARGIN.bottom * unit,
  ];
  const place =
    (
      /** @type {[number, number]} */ [from, to],
      /** @type {number} */ a,
      /** @type {number} */ b,
    ) =>
    (/** @type {number} */ value) =>
      a + ((value - from) / (to - from)) * (b - a);
  return {
    x: place(range.x, left, right),
    y: place(range.y, bottom, top),
    left,
    right,
    top,
    bottom,
    range,
  };
}

/** @param {number[]} values @param {number} share @returns {[number, number]} */
function widened(values, share) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const more = (high - low || 1) * share;
  return [low - more, high + more];
}

/**
 * @param {{x: number[], y: number[]}} points
 * @param {RunData} data
 * @param {string} kind
 * @param {Frame} frame
 */
function pointsOf(points, data, kind, frame) {
  return points.x.map((x, i) => {
    const [cx, cy] = [frame.x(x), frame.y(points.y[i])];
    const residual = svg("line", {
      class: `residual ${kind}`,
      x1: cx.toFixed(1),
      x2: cx.toFixed(1),
      y1: cy.toFixed(1),
    });
    const dot = svg("circle", { class: `dot ${kind}`, cx: cx.toFixed(1), cy: cy.toFixed(1) });
    dot.append(
      svg(
        "title",
        {},
        [
          `${axisName(data.x)} ${shown(x, data.x)}`,
          `${axisName(data.y)} ${shown(points.y[i], data.y)} (${kind})`,
        ].join(", "),
      ),
    );
    return {
      x,
      dot,
      /** @param {number} answer */
      draw: (answer) =>
        set(
          residual,
          "y2",
          Number.isFinite(answer) ? bounded(frame.y(answer)).toFixed(1) : cy.toFixed(1),
        ),
      residual,
    };
  });
}

/** SVG renderers cannot draw huge coordinates. @param {number} pixel */
const bounded = (pixel) => Math.max(-1e4, Math.min(1e4, pixel));

/** @param {number[]} xs @param {Float64Array} ys @param {Frame} frame */
function pathOf(xs, ys, frame) {
  let path = "";
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(ys[i])) continue;
    const point = `${frame.x(xs[i]).toFixed(1)} ${bounded(frame.y(ys[i])).toFixed(1)}`;
    path += (path === "" ? "M" : "L") + point;
  }
  return path;
}

/** @param {Axis} axis */
const axisName = ({ name, unit }) => (unit ? `${name} (${unit})` : name);

/**
 * A number that the model is fed, in the units of the data set.
 * @param {number} value
 * @param {Axis} axis
 */
const shown = (value, { scale }) => Number((value / scale).toPrecision(4));

/** @param {Frame} frame @param {RunData} data */
function axes(frame, { x, y }) {
  const across = ticks(frame.range.x[0] / x.scale, frame.range.x[1] / x.scale, 5);
  const up = ticks(frame.range.y[0] / y.scale, frame.range.y[1] / y.scale, 5);
  const text = (
    /** @type {Record<string, any>} */ attributes,
    /** @type {string|number} */ words,
  ) => svg("text", attributes, String(words).replace("-", "−"));
  return [
    ...up.flatMap((value) => {
      const at = frame.y(value * y.scale);
      return [
        svg("line", { class: "grid", x1: frame.left, x2: frame.right, y1: at, y2: at }),
        text({ class: "tick", x: frame.left - 6, y: at + 3.5, "text-anchor": "end" }, value),
      ];
    }),
    ...across.map((value) =>
      text(
        {
          class: "tick",
          x: frame.x(value * x.scale),
          y: frame.bottom + 14 * zoom(),
          "text-anchor": "middle",
        },
        value,
      ),
    ),
  ];
}
