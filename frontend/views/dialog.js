// What all dialogs share: a heading with a close button, their style sheet, and being shown.
// Knows nothing about what they ask.

import { element } from "./dom.js";

/** Style sheets that were asked for. @type {Map<string, Promise<void>>} */
const sheets = new Map();

/**
 * Load a style sheet once. One that could not be loaded is asked for again by the next dialog.
 * @param {string} href
 */
export function loadStyle(href) {
  const known = sheets.get(href);
  if (known !== undefined) return known;
  const link = element("link", { rel: "stylesheet", href });
  /** @type {Promise<void>} */
  const loaded = new Promise((resolve) => {
    link.addEventListener("load", () => resolve());
    link.addEventListener("error", () => {
      sheets.delete(href);
      link.remove();
      resolve(); // a dialog without its style is better than no dialog
    });
  });
  sheets.set(href, loaded);
  document.head.append(link);
  return loaded;
}

/** @param {HTMLDialogElement} dialog */
export async function present(dialog) {
  await loadStyle("css/dialogs.css");
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {HTMLDialogElement} dialog @param {string} title @param {string} id */
export function head(dialog, title, id) {
  const close = element(
    "button",
    { type: "button", class: "icon", "aria-label": "Close", onclick: () => dialog.close() },
    "×",
  );
  return element("div", { class: "dialog-head" }, element("h2", { id }, title), close);
}
