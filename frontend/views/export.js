// The way out: a button, and the dialog that it opens. The dialog is fetched with the first press.
// Knows nothing about files.

import { problemOf } from "../api.js";
import { shown } from "../time/shown_moment.js";
import { element, keepFocus, set, whenChanged } from "./dom.js";

/** @import { Store, View } from "../types.js" */

/** @param {Store} store */
async function open(store) {
  try {
    (await import("./export/dialog.js")).openExport(shown(store.state));
  } catch (error) {
    store.dispatch({ type: "problem", problem: problemOf(error) });
  }
}

/** @param {HTMLElement} root @param {Store} store @returns {View} */
export function mount(root, store) {
  const button = element(
    "button",
    {
      type: "button",
      id: "open-export",
      title: "Take this step, this run or this picture along",
      onmousedown: keepFocus,
      onclick: () => void open(store),
    },
    "Export",
  );
  root.append(button);
  const draw = whenChanged((/** @type {boolean} */ isThere) => set(button, "disabled", !isThere));
  return {
    draw: ({ run, moment }) => draw(run !== null && moment !== null),
    unmount: () => button.remove(),
  };
}
