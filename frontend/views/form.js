// The form for a new run, made from the API's own schema. It knows only two fields by name: the
// run's name and the data set.

import { fieldValue, placeOf } from "../lib/schema.js";
import { head, present } from "./dialog.js";
import { element, set, svg, write } from "./dom.js";

/** @import { Field } from "../lib/schema.js" */
/** @import { DataSet, Problem } from "../types.js" */

const WORDS = /** @type {Record<string, string>} */ ({
  lr: "learning rate (lr)",
  hidden: "hidden units",
  max_steps: "steps",
  named_layers: "named layers",
  batch_size: "batch size",
  zero_grad: "zero_grad each step",
  pace: "pace, steps a second",
  dataset: "data set",
});
const EMPTY = /** @type {Record<string, string>} */ ({
  batch_size: "all",
  pace: "as fast as possible",
});

/**
 * @typedef {Object} Offer
 * @property {Field[]} fields
 * @property {DataSet[]} datasets
 * @property {(config: Record<string, any>) => Promise<Problem|null>} create null: it was created
 * @property {Record<string, any>} [start] what the fields hold at first; else their defaults
 * @property {string} [title]
 * @property {string} [about]
 * @property {string} [submit] the text of the button
 */

/** @param {Offer} offer */
export function openForm({
  fields,
  datasets,
  create,
  start = {},
  title = "New run",
  about = "",
  submit: word = "Create run",
}) {
  const dialog = element("dialog", { class: "dialog", "aria-labelledby": "form-title" });
  const trouble = element("p", { class: "trouble", role: "alert" });
  const submit = element("button", { type: "submit", class: "primary" }, word);
  const inputs = fields.map((field) =>
    inputOf(field, field.name in start ? start[field.name] : field.fallback, field.name, datasets),
  );
  const form = element(
    "form",
    { novalidate: true },
    head(dialog, title, "form-title"),
    ...(about === "" ? [] : [element("p", { class: "about form-about" }, about)]),
    element("div", { class: "fields" }, ...inputs.map(({ root }) => root)),
    trouble,
    element("div", { class: "dialog-foot" }, submit),
  );
  nameAfterData(form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    set(submit, "disabled", true);
    const problem = await create(
      Object.fromEntries(inputs.map(({ name, read }) => [name, read()])),
    );
    set(submit, "disabled", false);
    if (problem === null) return dialog.close();
    show(problem, fields, inputs, trouble);
  });
  dialog.append(form);
  void present(dialog);
}

/**
 * A run has the name of its data set until a person gives it another one.
 * @param {HTMLFormElement} form
 */
function nameAfterData(form) {
  const name = /** @type {HTMLInputElement|null} */ (form.querySelector("#field-name"));
  const data = /** @type {HTMLSelectElement|null} */ (form.querySelector("#field-dataset"));
  const names = [...(data?.options ?? [])].map(({ value }) => value);
  data?.addEventListener("change", () => {
    if (name !== null && names.includes(name.value)) name.value = data.value;
  });
}

/**
 * One field, or a group of them.
 * @typedef {Object} Input
 * @property {string} name
 * @property {HTMLElement} root
 * @property {() => any} read
 * @property {(place: string, text: string) => boolean} complain false: it has no such field
 */

/** What the server received is in the field already. @param {{msg: string}} error */
const wordsOf = ({ msg }) => msg.replace(/ \(received .*/s, "");

/**
 * @param {Problem} problem
 * @param {Field[]} fields
 * @param {Input[]} inputs
 * @param {HTMLElement} trouble
 */
function show(problem, fields, inputs, trouble) {
  for (const input of inputs) input.complain("*", "");
  const errors = problem.errors ?? [];
  const homeless = errors.filter(
    (error) => !inputs.some((input) => input.complain(placeOf(error, fields), wordsOf(error))),
  );
  const general = errors.length === 0 ? [problem.detail || problem.title] : homeless.map(wordsOf);
  write(trouble, general.join(" "));
  /** @type {HTMLElement|null} */ (document.querySelector("dialog [aria-invalid=true]"))?.focus();
}

/**
 * @param {Field} field
 * @param {any} value
 * @param {string} path
 * @param {DataSet[]} datasets
 * @returns {Input}
 */
function inputOf(field, value, path, datasets) {
  if (field.kind === "kinds") return kindsInput(field, value, path);
  const control = controlOf(field, value, `field-${path}`);
  const error = element("p", { class: "error", id: `error-${path}` });
  const about = element("p", { class: "about", id: `about-${path}` }, field.description);
  set(control, "aria-describedby", `about-${path} error-${path}`);
  const label = element("label", { for: control.id }, WORDS[field.name] ?? field.name);
  const root = element("div", { class: `field field-${field.kind}` }, label, control, about, error);
  if (field.name === "dataset")
    root.append(previewOf(/** @type {HTMLSelectElement} */ (control), datasets));
  control.addEventListener("input", () => complain(path, ""));
  /** @param {string} place @param {string} text */
  function complain(place, text) {
    if (place !== path && place !== "*") return false;
    write(error, text);
    set(control, "aria-invalid", text === "" ? null : "true");
    return true;
  }
  return { name: field.name, root, read: () => readOf(field, control), complain };
}

/** @param {Field} field @param {HTMLInputElement|HTMLSelectElement} control */
function readOf(field, control) {
  if (control instanceof HTMLInputElement && control.type === "checkbox") return control.checked;
  return fieldValue(field, control.value);
}

/** @param {Field} field @param {any} value @param {string} id */
function controlOf(field, value, id) {
  if (field.kind === "choice") return select(id, field.choices ?? [], value);
  if (field.kind === "flag")
    return element("input", { id, type: "checkbox", checked: value === true });
  const text = value === null ? "" : Array.isArray(value) ? value.join(", ") : String(value);
  const mode = field.kind === "integer" ? "numeric" : field.kind === "text" ? "text" : "decimal";
  return element("input", {
    id,
    value: text,
    inputmode: mode,
    autocomplete: "off",
    placeholder: EMPTY[field.name] ?? null,
  });
}

/** @param {string} id @param {string[]} choices @param {string} value */
function select(id, choices, value) {
  return element(
    "select",
    { id },
    ...choices.map((choice) =>
      element("option", { value: choice, selected: choice === value }, choice),
    ),
  );
}

/** @param {Field} field @param {any} value @param {string} path @returns {Input} */
function kindsInput(field, value, path) {
  const groups = field.groups ?? {};
  const kinds = Object.keys(groups);
  const chosen = kinds.includes(value?.kind) ? value.kind : kinds[0];
  const choice = select(`field-${path}`, kinds, chosen);
  const inner = element("div", { class: "fields inner" });
  /** @type {Input[]} */
  let inputs = [];
  const build = () => {
    const start = choice.value === value?.kind ? value : {};
    inputs = groups[choice.value].map((part) =>
      inputOf(part, start[part.name] ?? part.fallback, `${path}.${part.name}`, []),
    );
    inner.replaceChildren(...inputs.map(({ root }) => root));
  };
  choice.addEventListener("change", build);
  build();
  const about = element("p", { class: "about" }, field.description);
  const root = element(
    "fieldset",
    { class: "field field-kinds" },
    element("label", { for: choice.id }, WORDS[field.name] ?? field.name),
    choice,
    about,
    inner,
  );
  return {
    name: field.name,
    root,
    read: () => ({
      kind: choice.value,
      ...Object.fromEntries(inputs.map(({ name, read }) => [name, read()])),
    }),
    complain: (place, text) => inputs.map((input) => input.complain(place, text)).some(Boolean),
  };
}

/**
 * A small picture of the chosen data set.
 * @param {HTMLSelectElement} choice
 * @param {DataSet[]} datasets
 */
function previewOf(choice, datasets) {
  const picture = svg("svg", { viewBox: "0 0 120 60", class: "preview", "aria-hidden": "true" });
  const about = element("span");
  const draw = () => {
    const chosen = datasets.find(({ name }) => name === choice.value);
    picture.replaceChildren(...(chosen === undefined ? [] : dots(chosen)));
    write(about, chosen?.description ?? "");
  };
  choice.addEventListener("change", draw);
  draw();
  return element("div", { class: "preview-box" }, picture, about);
}

/** @param {DataSet} dataset */
function dots({ points: { x, y } }) {
  const place = (/** @type {number[]} */ values, /** @type {number} */ size) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return (/** @type {number} */ value) => 5 + ((value - low) / (high - low || 1)) * (size - 10);
  };
  const [across, up] = [place(x, 120), place(y, 60)];
  return x.map((value, i) =>
    svg("circle", { class: "dot train", cx: across(value), cy: 60 - up(y[i]), r: 2 }),
  );
}
