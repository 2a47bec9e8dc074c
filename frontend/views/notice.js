// Shows what a state means and what to do next, and the problems that the server reports. Knows
// nothing about how the buttons do it.

import { noticeOf } from "../texts.js";
import { element, keepFocus, whenChanged } from "./dom.js";

/** @import { Notice } from "../texts.js" */
/** @import { Problem, Store, View } from "../types.js" */

/**
 * @typedef {Record<
 *   "runs"|"newRun"|"again"|"gentler"|"goOn"|"play"|"dismiss", () => void
 * >} Actions
 */
const LABELS = {
  runs: "See the runs",
  newRun: "New run",
  again: "Start again",
  gentler: "Start again",
  goOn: "Continue",
  play: "▶ Train",
  dismiss: "OK",
};

/** @param {HTMLElement} root @param {Store} _store @param {Actions} actions @returns {View} */
export function mount(root, _store, actions) {
  const draw = whenChanged((/** @type {string} */ text) => {
    const notice = /** @type {Notice|null} */ (JSON.parse(text));
    root.replaceChildren(...(notice === null ? [] : [strip(notice, actions)]));
  });
  return {
    draw: (state) => draw(JSON.stringify(noticeOf(state))),
    unmount: () => root.replaceChildren(),
  };
}

/** @param {Notice} notice @param {Actions} actions */
function strip({ mood, title, text, act, label, more }, actions) {
  const sentence = element("p", {}, element("strong", {}, title), " ", text);
  const made = element("div", { class: "notice", "data-mood": mood }, sentence);
  if (act === "signIn") made.append(signInLink());
  else if (act !== null) made.append(button(act, label, actions));
  if (more !== undefined) made.append(button(more.act, more.label, actions));
  return made;
}

/** @param {keyof Actions} act @param {string|undefined} label @param {Actions} actions */
function button(act, label, actions) {
  const attributes = { type: "button", onclick: actions[act], onmousedown: keepFocus };
  return element("button", attributes, label ?? LABELS[act]);
}

/** After signing in, the browser returns to the run that the address names. */
const signInLink = () => element("a", { href: `signin.html${location.hash}` }, "Sign in");

const SHOWN_MS = 12_000;

/** @param {HTMLElement} root @param {Store} store @returns {View} */
export function mountToast(root, store) {
  let timer = 0;
  const dismiss = () => store.dispatch({ type: "problem", problem: null });
  const draw = whenChanged((/** @type {Problem|null} */ problem) => {
    clearTimeout(timer);
    if (problem === null) return root.replaceChildren();
    const close = element(
      "button",
      { type: "button", class: "icon", "aria-label": "Dismiss", onclick: dismiss },
      "×",
    );
    const words = element("p", {}, element("strong", {}, problem.title), " ", problem.detail ?? "");
    root.replaceChildren(element("div", { class: "notice", "data-mood": "bad" }, words, close));
    timer = window.setTimeout(dismiss, SHOWN_MS);
  });
  return { draw: (state) => draw(state.problem), unmount: () => root.replaceChildren() };
}
