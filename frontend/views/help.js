// The dialog that lists keys and colours. Knows nothing about what the keys do.

import { head, present } from "./dialog.js";
import { element, prose } from "./dom.js";

const KEYS = [
  ["Space", "train, pause"],
  [".", "one phase of a step"],
  ["← →", "one step back or forward; at the newest step, → trains one"],
  ["Shift + ← →", "ten steps"],
  ["Shift + ↓ ↑", "a hundred steps"],
  ["Home, End", "the first step; the newest step"],
  ["P, Shift + P", "play the steps forwards, backwards; the same key stops"],
  ["< >", "play slower, faster"],
  ["L, Esc", "return to the newest step; there, Esc unpins"],
  ["?", "this list"],
  ["Tab, then arrows", "move through the drawing and the tables; Enter pins"],
];

const COLOURS = [
  ["weight-negative", "orange: a weight or bias below zero; grey: near zero"],
  ["weight-positive", "blue: above zero"],
  ["gradient", "violet: `.grad`, how the loss changes when that number grows"],
  ["change", "green, Δ: how the optimizer changed it"],
  ["loss", "red: the loss"],
  ["data", "grey: the data"],
];

export function openHelp() {
  const dialog = element("dialog", { class: "dialog", "aria-labelledby": "help-title" });
  const keys = KEYS.flatMap(([key, does]) => [
    element("dt", {}, element("kbd", {}, key)),
    element("dd", {}, does),
  ]);
  const colours = COLOURS.map(([token, means]) =>
    element(
      "li",
      {},
      element("i", { class: "key-colour", "data-token": token, "aria-hidden": "true" }),
      element("span", {}, ...prose(means)),
    ),
  );
  const links = element(
    "p",
    { class: "about" },
    "Everything on this page is available over ",
    element("a", { href: "docs", target: "_blank", rel: "noopener" }, "the REST interface"),
    ".",
  );
  dialog.append(
    head(dialog, "Keys and colours", "help-title"),
    element("dl", { class: "keys" }, ...keys),
    element("ul", { class: "colours" }, ...colours),
    links,
  );
  void present(dialog);
}
