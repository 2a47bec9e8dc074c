// What all dialogs share: a heading with a way out, and being shown. Knows nothing about what they ask.

import { element } from "./dom.js";

/** The style sheet of dialogs comes with the first of them. @type {Promise<unknown>|null} */
let styled = null;

function loadStyle() {
  const link = element("link", { rel: "stylesheet", href: "css/dialogs.css" });
  const loaded = new Promise((resolve) =>
    ["load", "error"].forEach((kind) => link.addEventListener(kind, resolve)),
  );
  document.head.append(link);
  return loaded;
}

/** @param {HTMLDialogElement} dialog */
export async function present(dialog) {
  await (styled ??= loadStyle());
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
