// The dialog that lists keys and colours. Knows nothing about what keys do.

import { head, present } from "./dialog.js";
import { element, prose } from "./dom.js";

const KEYS = [
  ["Space", "train, pause"],
  [".", "one phase of a step"],
  ["← →", "one step back, one on; at the newest step, → trains one"],
  ["Shift + ← →", "ten steps"],
  ["Shift + ↓ ↑", "a hundred steps"],
  ["Home, End", "the first step; back to now"],
  ["P, Shift + P", "play history forwards, backwards; again stops"],
  ["< >", "play slower, faster"],
  ["L, Esc", "back to now; then Esc lets go of what is pinned"],
  ["?", "this list"],
  ["Tab, then arrows", "through the drawing and the tables; Enter pins"],
];

const COLOURS = [
  ["weight-negative", "orange: a weight or bias below zero; grey: near zero"],
  ["weight-positive", "blue: above zero"],
  ["gradient", "violet: `.grad`, how the loss would change if that number grew"],
  ["change", "green, Δ: what the optimizer really did to it"],
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
    "Everything on this page can be fetched: ",
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
