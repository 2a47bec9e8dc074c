// The export button. The dialog that it opens is fetched when it is first pressed. Knows nothing
// about files.

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
      title: "Save this step, this run or this picture",
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
