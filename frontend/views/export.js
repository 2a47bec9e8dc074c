// The way out: a button, and the dialog that it opens. The dialog is fetched with the first press.
// Knows nothing about files.

import { element, keepFocus, set, whenChanged } from "./dom.js";
/** @import { Store, View } from "../types.js" */

/** @param {HTMLElement} root @param {Store} store @returns {View} */
export function mount(root, store) {
  const button = element(
    "button",
    {
      type: "button",
      id: "open-export",
      title: "Take this step, this run or this picture along",
      onmousedown: keepFocus,
      onclick: async () => (await import("./export/dialog.js")).openExport(store),
    },
    "Export",
  );
  root.append(button);
  const draw = whenChanged((/** @type {boolean} */ isThere) => set(button, "disabled", !isThere));
  return { draw: ({ run, moment }) => draw(run !== null && moment !== null), unmount: () => button.remove() };
}
