// What each key means. Knows nothing about how it is done.

/**
 * @typedef {Object} Deeds
 * @property {() => void} toggle
 * @property {() => void} step
 * @property {() => void} phase
 * @property {() => void} help
 * @property {() => void} free let go of what is pinned
 */

/** @type {Record<string, keyof Deeds>} */
const MEANINGS = { " ": "toggle", ArrowRight: "step", ".": "phase", "?": "help", Escape: "free" };

/** Elements for which Space and Enter already mean something. */
const PRESSABLE = "button, a, summary, select, [role=option], [role=button]";
const TYPED_INTO = "input, textarea, select, [contenteditable]";

/**
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, defaultPrevented: boolean}} event
 * @param {{matches: (selector: string) => boolean}|null} target where the focus is
 * @returns {keyof Deeds|null}
 */
export function meaningOf(event, target) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return null;
  if (target?.matches(TYPED_INTO)) return null;
  if (event.key === " " && target?.matches(PRESSABLE)) return null;
  return MEANINGS[event.key] ?? null;
}

/** @param {Document} page @param {Deeds} deeds */
export function listen(page, deeds) {
  page.addEventListener("keydown", (event) => {
    if (page.querySelector("dialog[open]") !== null) return;
    const target = event.target instanceof Element ? event.target : null;
    const deed = meaningOf(event, target);
    if (deed === null) return;
    event.preventDefault();
    deeds[deed]();
  });
}
