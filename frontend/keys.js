// What each key means. Knows nothing about how it is done.

/**
 * @typedef {Object} Deeds
 * @property {() => void} toggle
 * @property {(isRepeated?: boolean) => void} later one step on; at the newest, train one
 * @property {(isRepeated?: boolean) => void} earlier
 * @property {(isRepeated?: boolean) => void} muchLater ten steps
 * @property {(isRepeated?: boolean) => void} muchEarlier
 * @property {(isRepeated?: boolean) => void} farLater a hundred steps
 * @property {(isRepeated?: boolean) => void} farEarlier
 * @property {() => void} first
 * @property {() => void} live
 * @property {() => void} playOn play history back, forwards
 * @property {() => void} playBack
 * @property {() => void} slower
 * @property {() => void} faster
 * @property {() => void} phase
 * @property {() => void} help
 * @property {() => void} free back to now, else let go of what is pinned
 */

/** @type {Record<string, keyof Deeds>} */
const MEANINGS = {
  " ": "toggle",
  ".": "phase",
  "?": "help",
  Escape: "free",
  ArrowRight: "later",
  ArrowLeft: "earlier",
  "Shift+ArrowRight": "muchLater",
  "Shift+ArrowLeft": "muchEarlier",
  "Shift+ArrowUp": "farLater",
  "Shift+ArrowDown": "farEarlier",
  Home: "first",
  End: "live",
  l: "live",
  p: "playOn",
  "Shift+P": "playBack",
  "<": "slower",
  ">": "faster",
};

/** What a key that is held down goes on with; everything else it does once. @type {(keyof Deeds)[]} */
const REPEATABLE = [
  "later",
  "earlier",
  "muchLater",
  "muchEarlier",
  "farLater",
  "farEarlier",
  "slower",
  "faster",
];

/** Elements for which Space and Enter already mean something. */
const PRESSABLE = "button, a, summary, select, [role=option], [role=button]";
const TYPED_INTO = "input, textarea, select, [contenteditable]";

/**
 * @param {{key: string, shiftKey?: boolean, ctrlKey: boolean, metaKey: boolean, altKey: boolean, defaultPrevented: boolean}} event
 * @param {{matches: (selector: string) => boolean}|null} target where the focus is
 * @returns {keyof Deeds|null}
 */
export function meaningOf(event, target) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return null;
  if (target?.matches(TYPED_INTO)) return null;
  if (event.key === " " && target?.matches(PRESSABLE)) return null;
  return (
    MEANINGS[event.shiftKey ? `Shift+${event.key}` : event.key] ??
    (event.shiftKey ? plain(event.key) : null)
  );
}

/** Characters that a keyboard may need Shift for: ? < > @param {string} key */
const plain = (key) => (key.length === 1 && !/[a-z]/i.test(key) ? (MEANINGS[key] ?? null) : null);

/** @param {Document} page @param {Deeds} deeds */
export function listen(page, deeds) {
  page.addEventListener("keydown", (event) => {
    if (page.querySelector("dialog[open]") !== null) return;
    const target = event.target instanceof Element ? event.target : null;
    const deed = meaningOf(event, target);
    if (deed === null) return;
    event.preventDefault();
    if (!event.repeat || REPEATABLE.includes(deed)) deeds[deed](event.repeat);
  });
}
