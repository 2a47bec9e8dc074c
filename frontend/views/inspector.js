// Shows the selected element: its value, .grad, change, optimizer state and formula, always up to
// date. Knows nothing about how it was selected.

import { elementName, exact, format } from "../lib/format.js";
import {
  gradientAt,
  gradientFormula,
  outputFormula,
  unitFormula,
  updateRule,
} from "../lib/formula.js";
import { isSame } from "../lib/target.js";
import { disagreement, optimizerName } from "../texts.js";
import { element, prose, set, whenChanged, write } from "./dom.js";
/** @import { Symbol } from "../lib/formula.js" */
/**
 * @import { Column, Layout, Moment, Run, RunConfig, State, Store, Target, View } from "../types.js"
 */

/** @typedef {{draw: (state: State) => void}} Body */
/** @typedef {Target & {kind: "parameter"}} Element */

/** @param {HTMLElement} root @param {Store} store @returns {View} */
export function mount(root, store) {
  const title = element("h2", { class: "selected" });
  const pin = element("span", { class: "pin" });
  const place = element("div", { class: "inspected" });
  const rule = element("div");
  root.append(element("div", { class: "inspector-head" }, title, pin), place, rule);
  const drawRule = whenChanged((/** @type {RunConfig|null} */ config) =>
    rule.replaceChildren(...(config === null ? [] : ruleParts(config))),
  );
  /** @type {Body} */
  let body = { draw: () => {} };
  const build = whenChanged((/** @type {string} */ key, /** @type {Layout|null} */ layout) => {
    const target = /** @type {Target|null} */ (JSON.parse(key));
    const config = store.state.run?.config ?? null;
    const isKnown = target !== null && layout !== null && config !== null;
    write(title, isKnown ? elementName(layout, target) : "Nothing selected");
    set(title, "data-empty", !isKnown);
    body = isKnown ? bodyOf(place, layout, target, store) : invitation(place);
  });
  return {
    draw(state) {
      drawRule(state.run?.config ?? null);
      build(JSON.stringify(state.target), state.layout);
      write(
        pin,
        state.target === null
          ? ""
          : isSame(state.target, state.pin)
            ? "pinned · Esc unpins"
            : "click to pin",
      );
      body.draw(state);
    },
    unmount: () => root.replaceChildren(),
  };
}

/** @param {RunConfig} config */
function ruleParts(config) {
  const lines = updateRule(config).map((symbols) =>
    element("span", {}, ...symbols.map(symbolSpan)),
  );
  if (lines.length === 0) return [];
  return [
    element(
      "h3",
      { class: "rule-title" },
      `How ${optimizerName(config.optimizer.kind)} updates each number p`,
    ),
    element("p", { class: "formula rule" }, ...lines),
  ];
}

/** @param {HTMLElement} place @returns {Body} */
function invitation(place) {
  const text =
    "Point at an edge, a unit, an arrow or a row to see its value, its `.grad`, its last change " +
    "and the formula of its gradient. Click to pin it.";
  place.replaceChildren(element("p", { class: "sentence" }, ...prose(text)));
  return { draw: () => {} };
}

/**
 * @param {HTMLElement} place
 * @param {Layout} layout
 * @param {Target} target
 * @param {Store} store
 * @returns {Body}
 */
function bodyOf(place, layout, target, store) {
  if (target.kind === "parameter") return parameterBody(place, layout, target, store.state.run);
  if (target.kind === "unit") return unitBody(place, layout, target.unit, store);
  return target.kind === "output" ? outputBody(place, layout, store) : inputBody(place);
}

/**
 * @param {HTMLElement} place
 * @param {Layout} layout
 * @param {Element} target
 * @param {Run|null} run
 * @returns {Body}
 */
function parameterBody(place, layout, target, run) {
  const facts = factList();
  const value = facts.add("value", "weight");
  const grad = facts.add(".grad", "gradient");
  const change = facts.add("Δ", "change");
  const states = layout.states
    .filter(({ name }) => name === layout.parameters[target.parameter].name)
    .map((column) => ({ column, number: element("b", { class: "number" }) }));
  const kept = element(
    "p",
    { class: "slots" },
    ...states.flatMap(({ column, number }) => [
      element("span", {}, `${column.slot} `, number),
      " ",
    ]),
  );
  const note = element("p", { class: "sentence disagree", role: "note" });
  const config = run?.config ?? null;
  const formula = config === null ? element("p") : formulaLine(gradientFormula(target, config));
  const where = element("p", { class: "where" });
  place.replaceChildren(facts.root, kept, note, formula, where);
  return {
    draw(state) {
      const { moment } = state;
      if (moment === null) return;
      const { value: valueAt, gradient: gradientOf } = layout.parameters[target.parameter];
      value(
        format(moment.values[valueAt + target.index]),
        "",
        exact(moment.values[valueAt + target.index]),
      );
      drawGrad(grad, moment, target, gradientOf + target.index);
      drawChange(change, note, state, valueAt + target.index, gradientOf + target.index);
      for (const { column, number } of states)
        write(number, stateText(column, target.index, moment, state.run?.first_step ?? 0));
      write(where, whereText(state, layout, target));
    },
  };
}

/** @typedef {(text: string, note: string, title: string) => void} Fact */

/** A list of names and numbers. */
function factList() {
  const root = element("dl", { class: "facts" });
  return {
    root,
    /** @param {string} name @param {string} idea @returns {Fact} */
    add(name, idea) {
      const number = element("span", { class: "fact-number" });
      const note = element("span", { class: "fact-note" });
      const data = element("dd", { "data-idea": idea }, number, note);
      root.append(element("dt", { "data-idea": idea }, name), data);
      return (text, noteText, title) => {
        write(number, text);
        write(note, noteText);
        set(data, "title", title || null);
      };
    },
  };
}

/** @param {Fact} grad @param {Moment} moment @param {Element} target @param {number} at */
function drawGrad(grad, moment, target, at) {
  const gradState = moment.gradStates[target.parameter] ?? "none";
  if (gradState === "none")
    return grad("None", moment.step === 0 ? "no backward() yet" : clearedText(moment), "");
  const note = gradState === "stale" ? "stale: from an earlier iteration" : "";
  grad(format(moment.values[at]), note, exact(moment.values[at]));
}

/** @param {Moment} moment */
const clearedText = ({ step, phase }) =>
  phase === "step" ? "" : `again, since zero_grad() of step ${step + 1}`;

/**
 * @param {Fact} change
 * @param {HTMLElement} note
 * @param {State} state
 * @param {number} valueAt
 * @param {number} gradientAt_
 */
function drawChange(change, note, { settled, run, visited }, valueAt, gradientAt_) {
  const config = run?.config ?? null;
  if (settled === null || settled.step === 0 || run === null || config === null) {
    change("none", "no update yet", "");
    return write(note, "");
  }
  if (settled.before === null) write(note, "");
  if (settled.before === null && settled.step === (run.first_step ?? 0)) {
    return change(
      "unknown",
      `update ${settled.step} is of the run that this one continues: no record of the step before`,
      "",
    );
  }
  if (settled.before === null)
    return change(
      visited === null ? "…" : "unknown",
      `of update ${settled.step}: there is no record of step ${settled.step - 1}`,
      "",
    );
  const delta = settled.values[valueAt] - settled.before[valueAt];
  change(
    delta > 0 ? `+${format(delta)}` : format(delta),
    `of update ${settled.step}, by ${optimizerName(config.optimizer.kind)}`,
    String(delta),
  );
  write(note, disagreement(config, settled.values[gradientAt_], delta));
}

/**
 * The optimizer makes its state at its first update; one that goes on from another has none before.
 * @param {Column} column
 * @param {number} index
 * @param {Moment} moment
 * @param {number} first step of the run's first record
 */
function stateText({ slot, shape, offset }, index, { values, step }, first) {
  const value = values[offset + (shape.reduce((product, n) => product * n, 1) > 1 ? index : 0)];
  if (step === first && Number.isNaN(value)) return "none yet";
  return slot === "step" ? String(value) : format(value);
}

/** @param {Symbol[]} symbols */
function formulaLine(symbols) {
  return element("p", { class: "formula" }, ...symbols.map(symbolSpan));
}

/** @param {Symbol} symbol */
function symbolSpan({ text, idea, sub, sup, means }) {
  const made = element("span", { "data-idea": idea, title: means ?? null }, text);
  if (sub !== undefined) made.append(element("sub", {}, sub));
  if (sup !== undefined) made.append(element("sup", {}, sup));
  return made;
}

/**
 * What the sum runs over, and the formula's value by this page's own arithmetic.
 * @param {State} state
 * @param {Layout} layout
 * @param {Element} target
 */
function whereText({ run, data, moment }, layout, target) {
  const config = run?.config ?? null;
  if (config === null || data === null || moment === null) return "";
  const n = Math.min(config.batch_size ?? Infinity, data.train.x.length);
  const points =
    config.batch_size === null
      ? `all ${n} training points`
      : `the ${n} or fewer points of its batch`;
  const adds = config.zero_grad === false ? "; added to what .grad held before" : "";
  const worked = workedOut(config, moment, layout, target, data.train);
  const value = Number.isNaN(worked) ? "." : `; computed here in float64: ${format(worked)}`;
  return `Σ over ${points}${adds}${value}`;
}

/**
 * @param {RunConfig} config
 * @param {Moment} moment
 * @param {Layout} layout
 * @param {Element} target
 * @param {{x: number[], y: number[]}} points
 */
function workedOut(config, moment, layout, target, points) {
  const isWhole = config.batch_size === null && config.zero_grad !== false;
  if (!isWhole || moment.gradStates[target.parameter] !== "fresh") return NaN;
  const seen = moment.phase === "step" ? moment.before : moment.values;
  return seen === null ? NaN : gradientAt(seen, layout, config.activation, points, target);
}

/**
 * @param {HTMLElement} place
 * @param {Layout} layout
 * @param {number} unit
 * @param {Store} store
 * @returns {Body}
 */
function unitBody(place, layout, unit, store) {
  const config = store.state.run?.config ?? null;
  const targets = [0, 1, 2].map(
    (parameter) => /** @type {Element} */ ({ kind: "parameter", parameter, index: unit }),
  );
  const facts = factList();
  const rows = targets.map((target) => ({
    target,
    fact: facts.add(elementName(layout, target), "weight"),
  }));
  place.replaceChildren(config === null ? "" : formulaLine(unitFormula(unit, config)), facts.root);
  return { draw: (state) => drawElements(rows, layout, state.moment) };
}

/**
 * @param {{target: Element, fact: Fact}[]} rows
 * @param {Layout} layout
 * @param {Moment|null} moment
 */
function drawElements(rows, layout, moment) {
  if (moment === null) return;
  for (const { target, fact } of rows) {
    const { value, gradient } = layout.parameters[target.parameter];
    const isNone = (moment.gradStates[target.parameter] ?? "none") === "none";
    const number = moment.values[value + target.index];
    fact(
      format(number),
      `.grad ${isNone ? "None" : format(moment.values[gradient + target.index])}`,
      exact(number),
    );
  }
}

/** @param {HTMLElement} place @param {Layout} layout @param {Store} store @returns {Body} */
function outputBody(place, layout, store) {
  /** @type {Element} */
  const bias = { kind: "parameter", parameter: 3, index: 0 };
  const facts = factList();
  const rows = [{ target: bias, fact: facts.add(elementName(layout, bias), "weight") }];
  const axis = store.state.data?.y;
  const unit = axis?.unit ? ` in ${axis.unit}` : "";
  const text = axis === undefined ? "" : `y_pred is the model's prediction of ${axis.name}${unit}.`;
  place.replaceChildren(
    formulaLine(outputFormula()),
    facts.root,
    element("p", { class: "where" }, text),
  );
  return { draw: (state) => drawElements(rows, layout, state.moment) };
}

/** @param {HTMLElement} place @returns {Body} */
function inputBody(place) {
  const text = element("p", { class: "sentence" });
  place.replaceChildren(text);
  return {
    draw({ data }) {
      if (data === null) return;
      const scaled =
        data.x.scale === 1 ? "" : `, times ${data.x.scale}, because small numbers train better`;
      write(
        text,
        [
          `x is ${data.x.name}${data.x.unit ? ` (${data.x.unit})` : ""}${scaled}.`,
          `${data.train.x.length} points for training, ${data.validation.x.length} for validation.`,
        ].join(" "),
      );
    },
  };
}
