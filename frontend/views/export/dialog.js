// The export dialog: the picture, this step, and the whole run. Knows nothing about how files are
// made.

import { fetchFile, fetchLong, save } from "../../export/download.js";
import { pngOf, svgOf } from "../../export/drawing_file.js";
import { head, loadStyle, present } from "../dialog.js";
import { element, set, write } from "../dom.js";

/** @import { Progress } from "../../export/download.js" */
/** @import { State } from "../../types.js" */

/**
 * @typedef {Object} Offer
 * @property {string} title
 * @property {string} about
 * @property {string} id
 * @property {(job: Job) => Promise<void>} download
 */
/** @typedef {{onProgress: (progress: Progress) => void, signal: AbortSignal}} Job */

const PATIENCE_MS = 300; // before the progress is shown
const PIXELS = 2; // of a PNG, for each pixel of the screen

/** @param {State} state as the cards show it */
export function openExport(state) {
  const dialog = element("dialog", { class: "dialog", "aria-labelledby": "export-title" });
  const closing = new AbortController();
  dialog.addEventListener("close", () => closing.abort());
  dialog.append(
    head(dialog, "Export", "export-title"),
    ...section(`The network at step ${stepText(state)}`, pictures(state), closing.signal),
    ...section(`Step ${stepText(state)}, every parameter and .grad`, ofStep(state), closing.signal),
    ...section("The whole run", ofRun(state), closing.signal),
  );
  void loadStyle("css/export.css");
  void present(dialog);
}

/** The step on the screen. @param {State} state */
const stepOf = ({ moment, run }) => moment?.step ?? run?.step ?? 0;
/** @param {State} state */
const stepText = (state) => stepOf(state).toLocaleString("en");

/** @param {string} title @param {Offer[]} offers @param {AbortSignal} closing */
function section(title, offers, closing) {
  const list = element("ul", { class: "exports" }, ...offers.map((offer) => rowOf(offer, closing)));
  return [element("h3", { class: "exports-title" }, title), list];
}

/** @param {Offer} offer @param {AbortSignal} closing */
function rowOf(offer, closing) {
  const status = element("span", { class: "exports-status", role: "status" });
  const bar = element("progress", { hidden: true, "aria-label": offer.title });
  const button = element("button", { type: "button", id: `export-${offer.id}` }, offer.title);
  const cancel = element(
    "button",
    { type: "button", hidden: true, "aria-label": `Cancel ${offer.title}` },
    "Cancel",
  );
  const row = element(
    "li",
    {},
    button,
    element("span", { class: "about" }, offer.about),
    bar,
    cancel,
    status,
  );
  button.addEventListener(
    "click",
    () => void run(offer, { row, button, bar, cancel, status }, closing),
  );
  return row;
}

/**
 * @param {Offer} offer
 * @param {Object} parts
 * @param {HTMLElement} parts.row
 * @param {HTMLButtonElement} parts.button
 * @param {HTMLProgressElement} parts.bar
 * @param {HTMLButtonElement} parts.cancel
 * @param {HTMLElement} parts.status
 * @param {AbortSignal} closing
 */
async function run(offer, { row, button, bar, cancel, status }, closing) {
  const cancelling = new AbortController();
  const signal = AbortSignal.any([closing, cancelling.signal]);
  cancel.onclick = () => cancelling.abort();
  button.disabled = true;
  bar.removeAttribute("value");
  const waiting = setTimeout(() => (bar.hidden = cancel.hidden = false), PATIENCE_MS);
  set(row, "data-mood", null);
  write(status, "");
  const onProgress = (/** @type {Progress} */ progress) => {
    if (progress.total) bar.value = Math.min(1, progress.rows / progress.total);
    write(status, progressText(progress));
  };
  try {
    await offer.download({ onProgress, signal });
    set(row, "data-mood", "good");
    write(status, `${status.textContent} ✓`.trim());
  } catch (error) {
    const isCancelled = signal.aborted;
    set(row, "data-mood", isCancelled ? null : "bad");
    write(
      status,
      isCancelled ? "Cancelled." : error instanceof Error ? error.message : String(error),
    );
  }
  clearTimeout(waiting);
  const hadFocus = document.activeElement === cancel;
  button.disabled = false;
  bar.hidden = cancel.hidden = true;
  if (hadFocus) button.focus();
}

/** @param {Progress} progress */
export function progressText({ bytes, rows, total }) {
  const size = bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  if (total === null) return size;
  const done = `${rows.toLocaleString("en")} of ${total.toLocaleString("en")} rows`;
  return bytes === 0 ? done : `${done}, ${size}`;
}

/** @param {State} state @returns {Offer[]} */
function pictures(state) {
  const name = `livegrad-${state.run?.id}-step-${stepOf(state)}`;
  const picture = () => svgOf(drawing(), { title: titleOf(state), description: describe(state) });
  return [
    {
      id: "svg",
      title: "SVG",
      about: "as it looks now, for print, slides or a page",
      download: async () =>
        save(new Blob([picture().text], { type: "image/svg+xml" }), `${name}.svg`),
    },
    {
      id: "png",
      title: "PNG",
      about: `${PIXELS}× the pixels of the screen`,
      download: async () => save(await pngOf(picture(), PIXELS), `${name}.png`),
    },
  ];
}

function drawing() {
  const found = document.querySelector("#network svg.drawing");
  if (!(found instanceof SVGSVGElement)) throw new Error("There is no drawing on the screen.");
  return found;
}

/** @param {State} state */
const titleOf = (state) => `${state.run?.name}, step ${stepText(state)}`;

/** @param {State} state */
function describe({ run, moment }) {
  const where = `Run ${run?.id} of livegrad, step ${moment?.step}, phase ${moment?.phase}`;
  return `${where}. Configuration: ${JSON.stringify(run?.config)}`;
}

/** @param {State} state @returns {Offer[]} */
function ofStep(state) {
  const { moment, run } = state;
  // A half-done iteration has no step of its own yet; without `step`, the server answers with what
  // it holds at this moment.
  const isHalfDone = moment !== null && moment.phase !== "step";
  const at = isHalfDone ? "" : `&step=${stepOf(state)}`;
  const path = (/** @type {string} */ format) =>
    `${pathOf(state)}/parameters?format=${format}${at}`;
  /** @type {(format: string, title: string, about: string) => Offer} */
  const offer = (format, title, about) => ({
    id: format,
    title,
    about,
    download: fetching(path(format)),
  });
  const dictionary = "load_state_dict(torch.load(file, weights_only=True))";
  return [
    offer("state_dict", "state_dict", `weights for PyTorch: ${dictionary}`),
    offer("safetensors", "safetensors", "with run, step and configuration as metadata"),
    offer("npz", "npz", "for NumPy, with run, step and configuration as __metadata__"),
    offer("csv", "CSV", "a line for each element"),
    {
      ...offer("json", "JSON", "as the REST interface answers, with run, step and configuration"),
      download: json(path("json"), `${run?.id}-step-${stepOf(state)}`),
    },
  ];
}

/** @param {State} state @returns {Offer[]} */
function ofRun(state) {
  /** @type {(id: string, title: string, about: string) => Offer} */
  const offer = (id, title, about) => ({
    id,
    title,
    about,
    download: fetching(`${pathOf(state)}/${id}`),
  });
  /** @type {(id: string, title: string, about: string) => Offer} */
  const long = (id, title, about) => ({
    id,
    title,
    about,
    download: fetchingLong(`${pathOf(state)}/${id}`, pathOf(state)),
  });
  return [
    long(
      "replay.html",
      "Replay",
      "one HTML file that plays this run offline: for a lesson, a blog, a colleague",
    ),
    offer("script", "Script", "plain PyTorch that computes the same numbers, bit for bit"),
    long("history.csv", "CSV", "a row for each step: every parameter and gradient"),
    long("history.parquet", "Parquet", "the same table, smaller"),
  ];
}

/** @param {State} state */
const pathOf = (state) => `api/runs/${encodeURIComponent(state.run?.id ?? "")}`;

/** @param {string} url @returns {Offer["download"]} */
function fetching(url) {
  return async (job) => {
    const { blob, name } = await fetchFile(url, job);
    save(blob, name);
  };
}

/** @param {string} path @param {string} run @returns {Offer["download"]} */
function fetchingLong(path, run) {
  return async (job) => {
    const { blob, name } = await fetchLong(path, run, job);
    save(blob, name);
  };
}

/**
 * Fetch JSON, which comes without a file name.
 * @param {string} url
 * @param {string} name
 * @returns {Offer["download"]}
 */
function json(url, name) {
  return async (job) => save((await fetchFile(url, job)).blob, `livegrad-${name}.json`);
}
