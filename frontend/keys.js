// The page's keys: which handler each key calls. Knows nothing about what handlers do.

/**
 * @typedef {Object} KeyHandlers
 * @property {() => void} toggleTraining
 * @property {(isRepeated?: boolean) => void} nextStep one step forward; at the newest, train one
 * @property {(isRepeated?: boolean) => void} previousStep
 * @property {(isRepeated?: boolean) => void} forward10 ten steps
 * @property {(isRepeated?: boolean) => void} back10
 * @property {(isRepeated?: boolean) => void} forward100 a hundred steps
 * @property {(isRepeated?: boolean) => void} back100
 * @property {() => void} firstStep
 * @property {() => void} live
 * @property {() => void} playForward play the run's steps
 * @property {() => void} playBackward
 * @property {() => void} slower
 * @property {() => void} faster
 * @property {() => void} phase
 * @property {() => void} help
 * @property {() => void} escape return to the newest step; there, unpin
 */

/** @type {Record<string, keyof KeyHandlers>} */
const KEYS = {
  " ": "toggleTraining",
  ".": "phase",
  "?": "help",
  Escape: "escape",
  ArrowRight: "nextStep",
  ArrowLeft: "previousStep",
  "Shift+ArrowRight": "forward10",
  "Shift+ArrowLeft": "back10",
  "Shift+ArrowUp": "forward100",
  "Shift+ArrowDown": "back100",
  Home: "firstStep",
  End: "live",
  l: "live",
  p: "playForward",
  "Shift+P": "playBackward",
  "<": "slower",
  ">": "faster",
};

/**
 * What a key repeats while it is held down; everything else happens once.
 * @type {(keyof KeyHandlers)[]}
 */
const REPEATABLE = [
  "nextStep",
  "previousStep",
  "forward10",
  "back10",
  "forward100",
  "back100",
  "slower",
  "faster",
];

/** Elements that Space and Enter already operate. */
const PRESSABLE = "button, a, summary, select, [role=option], [role=button]";
const TYPED_INTO = "input, textarea, select, [contenteditable]";

/**
 * @param {Pick<KeyboardEvent, "key"|"ctrlKey"|"metaKey"|"altKey"|"defaultPrevented">
 *   & {shiftKey?: boolean}} event
 * @param {{matches: (selector: string) => boolean}|null} target where the focus is
 * @returns {keyof KeyHandlers|null}
 */
export function handlerOf(event, target) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return null;
  if (target?.matches(TYPED_INTO)) return null;
  if (event.key === " " && target?.matches(PRESSABLE)) return null;
  return (
    KEYS[event.shiftKey ? `Shift+${event.key}` : event.key] ??
    (event.shiftKey ? plain(event.key) : null)
  );
}

/** Characters that a keyboard may need Shift for: ? < > @param {string} key */
const plain = (key) => (key.length === 1 && !/[a-z]/i.test(key) ? (KEYS[key] ?? null) : null);

/** @param {Document} page @param {KeyHandlers} handlers */
export function listen(page, handlers) {
  page.addEventListener("keydown", (event) => {
    if (page.querySelector("dialog[open]") !== null) return;
    const target = event.target instanceof Element ? event.target : null;
    const name = handlerOf(event, target);
    if (name === null) return;
    event.preventDefault();
    if (!event.repeat || REPEATABLE.includes(name)) handlers[name](event.repeat);
  });
}
