// The named_parameters() table. Each row opens to show its elements. Knows nothing about the
// drawing that is highlighted with it.

import { weightColour } from "../lib/colour.js";
import { elementName, format, shapeText, subscripts } from "../lib/format.js";
import { norm } from "../lib/number.js";
import { shown } from "../time/shown_moment.js";
import { element, set, whenChanged, write } from "./dom.js";
/** @import { GradState, Layout, Moment, ParameterColumn } from "../types.js" */
/** @import { State, Store, Target, View } from "../types.js" */

/** @param {HTMLElement} root @param {Store} store @returns {View} */
export function mount(root, store) {
  const body = element("tbody");
  const heads = ["name", "shape", "‖value‖", "‖.grad‖"].map((text) =>
    element("th", { scope: "col" }, text),
  );
  const table = element(
    "table",
    { class: "table" },
    element("thead", {}, element("tr", {}, ...heads)),
    body,
  );
  root.append(
    element("h2", {}, element("code", {}, "model.named_parameters()")),
    element("div", { class: "scroll" }, table),
  );
  /** @type {ReturnType<typeof createRow>[]} */
  let rows = [];
  const build = whenChanged((/** @type {Layout|null} */ layout) => {
    rows = (layout?.parameters ?? []).map((_, i) =>
      createRow(store, /** @type {Layout} */ (layout), i),
    );
    body.replaceChildren(...rows.flatMap((row) => row.parts));
  });
  return {
    draw(state) {
      build(state.layout);
      if (state.moment !== null) for (const row of rows) row.draw(state, state.moment);
    },
    unmount: () => root.replaceChildren(),
  };
}

/** @param {Store} store @param {Layout} layout @param {number} place */
function createRow(store, layout, place) {
  const parameter = layout.parameters[place];
  const id = `elements-${place}`;
  const opener = element(
    "button",
    {
      type: "button",
      class: "opener",
      "aria-expanded": "false",
      "aria-controls": id,
      title: "Show its elements",
    },
    parameter.name,
  );
  const value = element("td", { class: "number" });
  const grad = element("td", { class: "number grad" });
  const row = element(
    "tr",
    { "data-parameter": parameter.name },
    element("th", { scope: "row" }, opener),
    element("td", { class: "number" }, shapeText(parameter.shape)),
    value,
    grad,
  );
  const elements = createElements(store, layout, place, id);
  const drawer = element(
    "tr",
    { hidden: true },
    element("td", { colspan: 4, class: "drawer" }, elements.root),
  );
  opener.addEventListener("click", () => {
    drawer.hidden = !drawer.hidden;
    set(opener, "aria-expanded", String(!drawer.hidden));
    const state = shown(store.state);
    if (state.moment !== null) elements.draw(state, state.moment);
    if (!drawer.hidden) bringUp(row);
  });
  return {
    parts: [row, drawer],
    /** @param {State} state @param {Moment} moment */
    draw(state, moment) {
      const gradState = moment.gradStates[place] ?? "none";
      write(value, format(norm(moment.values, parameter.value, parameter.size), 3));
      write(grad, gradText(parameter, moment, gradState));
      set(grad, "data-state", gradState);
      set(row, "data-lit", touches(state.target, layout, place));
      if (!drawer.hidden) elements.draw(state, moment);
    },
  };
}

/**
 * Scroll the table, and nothing around it, so that a row is right below the table's head.
 * @param {HTMLTableRowElement} row
 */
function bringUp(row) {
  const scroll = row.closest(".scroll");
  if (scroll !== null)
    scroll.scrollTop = row.offsetTop - (row.closest("table")?.tHead?.offsetHeight ?? 0);
}

/** @param {ParameterColumn} parameter @param {Moment} moment @param {GradState} gradState */
function gradText(parameter, moment, gradState) {
  if (gradState === "none") return "None";
  const text = format(norm(moment.values, parameter.gradient, parameter.size), 3);
  return gradState === "stale" ? `${text} stale` : text;
}

/**
 * Whether the target belongs to a parameter.
 * @param {Target|null} target
 * @param {Layout} layout
 * @param {number} place
 */
function touches(target, layout, place) {
  if (target === null) return false;
  if (target.kind === "parameter") return target.parameter === place;
  return target.kind === "unit" && layout.parameters[place].size > target.unit && place < 3;
}

/**
 * The elements of one parameter: one tab stop, in which arrow keys move and Enter pins.
 * @param {Store} store
 * @param {Layout} layout
 * @param {number} place
 * @param {string} id
 */
function createElements(store, layout, place, id) {
  const parameter = layout.parameters[place];
  const options = Array.from({ length: parameter.size }, (_, index) =>
    createOption(store, layout, place, index),
  );
  options[0].root.tabIndex = 0;
  const root = element(
    "div",
    { id, role: "listbox", class: "elements", "aria-label": `Elements of ${parameter.name}` },
    ...options.map(({ root: option }) => option),
  );
  root.addEventListener("keydown", (event) => {
    const at = options.findIndex(({ root: option }) => option === document.activeElement);
    const to = destination(event.key, at, options.length);
    if (to === null) return;
    event.preventDefault();
    options.forEach(({ root: option }, i) => (option.tabIndex = i === to ? 0 : -1));
    options[to].root.focus();
  });
  let scale = 1;
  return {
    root,
    /** @param {State} state @param {Moment} moment */
    draw(state, moment) {
      const values = moment.values.subarray(parameter.value, parameter.value + parameter.size);
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 1e-6);
      if (largest > scale || largest < scale / 3) scale = largest;
      for (const option of options) option.draw(state, moment, scale);
    },
  };
}

/** @param {string} key @param {number} at @param {number} count @returns {number|null} */
function destination(key, at, count) {
  if (key === "ArrowDown" || key === "ArrowRight") return Math.min(at + 1, count - 1);
  if (key === "ArrowUp" || key === "ArrowLeft") return Math.max(at - 1, 0);
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : null;
}

/** @param {Store} store @param {Layout} layout @param {number} place @param {number} index */
function createOption(store, layout, place, index) {
  const parameter = layout.parameters[place];
  /** @type {Target} */
  const target = { kind: "parameter", parameter: place, index };
  const aim = (/** @type {Target|null} */ to) => () =>
    store.dispatch({ type: "target", target: to });
  const chip = element("span", { class: "chip", "aria-hidden": "true" });
  const value = element("span", { class: "number" });
  const grad = element("span", { class: "number grad" });
  const pin = () => store.dispatch({ type: "pin", target });
  const root = element(
    "div",
    {
      role: "option",
      tabindex: -1,
      class: "option",
      "data-element": elementName(layout, target),
      onfocus: aim(target),
      onblur: aim(null),
      onpointerenter: aim(target),
      onpointerleave: aim(null),
      onclick: pin,
    },
    chip,
    element("span", { class: "subscript" }, `[${subscripts(parameter.shape, index).join(", ")}]`),
    value,
    grad,
  );
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    pin();
  });
  return {
    root,
    /** @param {State} state @param {Moment} moment @param {number} scale */
    draw(state, moment, scale) {
      const number = moment.values[parameter.value + index];
      const gradState = moment.gradStates[place] ?? "none";
      write(value, format(number));
      write(
        grad,
        gradState === "none" ? "None" : format(moment.values[parameter.gradient + index]),
      );
      set(grad, "data-state", gradState);
      chip.style.background = weightColour(number, scale, state.dark);
      set(root, "data-lit", isLit(state.target, place, index));
      set(root, "aria-selected", String(isLit(state.pin, place, index)));
    },
  };
}

/** @param {Target|null} target @param {number} place @param {number} index */
function isLit(target, place, index) {
  return target?.kind === "parameter" && target.parameter === place && target.index === index;
}
