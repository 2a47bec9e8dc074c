// The dialog with the list of runs: open, start again, overlay, compare, delete. Knows nothing
// about how these are done.

import { MAX_OVERLAYS } from "../compare/overlay.js";
import { treeOf } from "../compare/run_tree.js";
import { format, stepText } from "../lib/format.js";
import { numberOf } from "../lib/number.js";
import { configText } from "../texts.js";
import { head, present } from "./dialog.js";
import { element, set } from "./dom.js";

/** @import { Run, State, Store } from "../types.js" */

/**
 * @typedef {Object} Actions
 * @property {(id: string) => void} open
 * @property {(run: Run) => unknown} again create a run with the same initial weights
 * @property {(id: string) => Promise<void>} remove
 * @property {() => unknown} newRun
 * @property {() => Promise<void>} refresh
 * @property {(runs: Run[]) => unknown} compare
 */

const REFRESH_MS = 2000;

/** @param {Store} store @param {Actions} actions */
export function openRuns(store, actions) {
  const dialog = element("dialog", { class: "dialog wide", "aria-labelledby": "runs-title" });
  const and = closing(dialog);
  const list = element("ul", { class: "runs" });
  const fresh = element(
    "button",
    { type: "button", class: "primary", onclick: and(actions.newRun) },
    "New run",
  );
  const hint = element("p", { class: "about" });
  const compare = element("button", {
    type: "button",
    id: "compare",
    title: "Large charts, and a sentence that says where the runs differ",
  });
  const shown = () =>
    store.state.runs.filter(
      ({ id }) => id === store.state.opened || store.state.overlaid.includes(id),
    );
  compare.addEventListener(
    "click",
    and(() => actions.compare(baseFirst(shown(), store.state.opened))),
  );
  const count = () => {
    const { overlaid, runs } = store.state;
    if (shown().length < 2) compare.remove();
    else if (!compare.isConnected) fresh.before(compare);
    compare.textContent = `Compare ${shown().length} runs`;
    hint.textContent =
      runs.length < 2
        ? ""
        : overlaid.length < MAX_OVERLAYS
          ? "Tick runs to show them in the charts."
          : `The charts show at most ${MAX_OVERLAYS} other runs.`;
    for (const tick of list.querySelectorAll("input"))
      tick.disabled =
        tick.value === store.state.opened || (!tick.checked && overlaid.length >= MAX_OVERLAYS);
  };
  count();
  list.addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLInputElement)) return;
    store.dispatch({ type: "overlay", id: target.value, isShown: target.checked });
    count();
  });
  dialog.append(
    head(dialog, "Runs", "runs-title"),
    list,
    element("div", { class: "dialog-foot" }, hint, fresh),
  );
  const refresh = async () => {
    await actions.refresh();
    const focused = document.activeElement?.id;
    if (list.querySelector(".asking") === null) {
      list.replaceChildren(...rows(store.state, actions, dialog, refresh));
      count();
    }
    if (focused) document.getElementById(focused)?.focus();
  };
  const timer = setInterval(() => void refresh(), REFRESH_MS);
  dialog.addEventListener("close", () => clearInterval(timer));
  void present(dialog);
  void refresh();
}

/** Close a dialog, then act. @param {HTMLDialogElement} dialog */
const closing = (dialog) => (/** @type {() => unknown} */ act) => () => {
  dialog.close();
  act();
};

/**
 * The run on the screen, then the others, the oldest first.
 * @param {Run[]} runs
 * @param {string|undefined} opened
 */
function baseFirst(runs, opened) {
  const others = runs.filter(({ id }) => id !== opened).reverse();
  return [...runs.filter(({ id }) => id === opened), ...others];
}

/**
 * @param {State} state
 * @param {Actions} actions
 * @param {HTMLDialogElement} dialog
 * @param {() => Promise<void>} refresh
 */
function rows({ runs, run, overlaid }, actions, dialog, refresh) {
  if (runs.length === 0) return [element("li", { class: "none" }, "No runs yet.")];
  return treeOf(runs).map(({ run: one, depth }) => {
    const isHere = one.id === run?.id;
    const row = rowOf(one, isHere, actions, dialog, refresh);
    row.prepend(tickOf(one, isHere, overlaid.includes(one.id)));
    row.style.setProperty("--depth", String(Math.min(depth, 6)));
    set(row, "data-child", depth > 0);
    return row;
  });
}

/**
 * The checkbox that overlays a run. The lines of the run on the screen are always in the charts.
 * @param {Run} run
 * @param {boolean} isHere
 * @param {boolean} isShown
 */
function tickOf({ id, name }, isHere, isShown) {
  const tick = element("input", {
    type: "checkbox",
    id: `tick-${id}`,
    value: id,
    checked: isShown || isHere,
  });
  set(tick, "aria-label", isHere ? `${name} is on the screen` : `Show ${name} in the charts`);
  set(tick, "title", isHere ? "On the screen" : "Show it in the charts");
  tick.disabled = isHere;
  return tick;
}

/**
 * @param {Run} run
 * @param {boolean} isHere
 * @param {Actions} actions
 * @param {HTMLDialogElement} dialog
 * @param {() => Promise<void>} refresh
 */
function rowOf(run, isHere, actions, dialog, refresh) {
  const and = closing(dialog);
  const facts = [
    ...(run.parent ? [`from step ${stepText(run.parent.step)}`] : []),
    ...(run.config ? [`step ${stepText(run.step)} / ${stepText(run.config.max_steps)}`] : []),
    ...(run.loss == null ? [] : [`loss ${format(numberOf(run.loss), 3)}`]),
    ...(run.config ? [when(run.created_at)] : []),
  ].join(" · ");
  const words = element(
    "button",
    {
      type: "button",
      class: "run-open",
      id: `run-${run.id}`,
      "aria-current": isHere ? "true" : null,
      onclick: and(() => actions.open(run.id)),
    },
    element("strong", {}, run.name),
    element("span", { class: "badge", "data-mood": moodOf(run) }, run.state),
    element("span", { class: "run-config" }, configText(run.config, run.lr)),
    element("span", { class: "run-facts" }, facts),
  );
  const again = element(
    "button",
    {
      type: "button",
      title: "A new run with the same configuration and the same initial weights",
      onclick: and(() => actions.again(run)),
    },
    "Start again",
  );
  again.disabled = run.config === null; // its log is damaged
  const remove = element("button", { type: "button", class: "danger" });
  label(remove, "Delete", run);
  const row = element("li", {}, words, again, remove);
  remove.addEventListener("click", async () => {
    if (!row.classList.contains("asking")) {
      row.classList.add("asking");
      label(remove, "Delete for good?", run);
      remove.addEventListener(
        "blur",
        () => {
          row.classList.remove("asking");
          label(remove, "Delete", run);
        },
        {
          once: true,
        },
      );
      return;
    }
    row.classList.remove("asking");
    await actions.remove(run.id);
    await refresh();
    /** @type {HTMLElement|null} */ (dialog.querySelector(".run-open, .primary"))?.focus();
  });
  return row;
}

/** @param {HTMLElement} button @param {string} text @param {Run} run */
function label(button, text, run) {
  button.textContent = text;
  button.setAttribute("aria-label", `${text} ${run.name}`);
}

/** @param {Run} run */
function moodOf({ state }) {
  return {
    running: "good",
    failed: "bad",
    paused: "wait",
    starting: "wait",
    finished: "calm",
    interrupted: "calm",
  }[state];
}

/** @param {string} iso */
function when(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime())
    ? ""
    : date.toLocaleString("en", {
        month: "short",
        day: "numeric",
        hour: "2-digit",
        minute: "2-digit",
        hour12: false,
      });
}
