// Shows the source of the training loop, marks the line that has just run, and says in one sentence
// what it did. Knows nothing about Python except the names of some keywords.

import { isBegin, PHASES, phaseSentence, phasesOf, SKIPPED } from "../texts.js";
import { element, prose, set, whenChanged } from "./dom.js";

/** @import { LoopSource, Phase, Store, View } from "../types.js" */

const TOKENS = /(#.*)|\b(for|in|if|with|def|return|not|and|None|True|False)\b/;

/** @param {HTMLElement} root @param {Store} _store @returns {View} */
export function mount(root, _store) {
  const list = element("ol", { class: "listing", "aria-label": "Python source" });
  const sentence = element("p", { class: "sentence", "aria-live": "polite" });
  root.append(element("h2", {}, "The training loop"), list, sentence);
  /** @type {Partial<Record<Phase, HTMLElement>>} */
  let lineOf = {};
  const drawLoop = whenChanged((/** @type {LoopSource|null} */ loop) => {
    const lines = (loop?.lines ?? []).map(lineFrom);
    list.replaceChildren(...lines);
    lineOf = Object.fromEntries(PHASES.map((phase) => [phase, lines[loop?.phases[phase] ?? -1]]));
  });
  const drawLine = whenChanged(
    (
      /** @type {Phase|null} */ phase,
      /** @type {boolean} */ isRunning,
      /** @type {Phase[]} */ phases,
      /** @type {unknown} */ _,
    ) => {
      const at = phase === null ? -1 : PHASES.indexOf(phase);
      PHASES.forEach((name, i) => {
        const line = lineOf[name];
        if (line === undefined) return;
        const isSkipped = !phases.includes(name);
        const place = i === at ? "now" : phase !== null && i > at ? "ahead" : null;
        set(line, "class", isSkipped ? "skipped" : isRunning ? "running" : place);
        set(line, "title", isSkipped ? SKIPPED : null);
        set(line, "aria-current", !isRunning && i === at ? "step" : null);
      });
    },
  );
  const drawSentence = whenChanged((/** @type {string} */ text) =>
    sentence.replaceChildren(...prose(text)),
  );
  return {
    draw(state) {
      const { moment, run, loop } = state;
      const isAtStart = moment === null || isBegin(run, moment);
      drawLoop(loop);
      const isRunning = run?.state === "running";
      drawLine(isAtStart ? null : moment.phase, isRunning, phasesOf(run?.config), loop);
      drawSentence(phaseSentence(state));
    },
    unmount: () => root.replaceChildren(),
  };
}

/** Apart from its indentation, which is not struck out with it. @param {string} line */
function lineFrom(line) {
  const text = line.trimStart();
  const indent = line.slice(0, line.length - text.length);
  return element("li", {}, indent, element("span", { class: "text" }, ...colour(text)));
}

/** @param {string} line */
function colour(line) {
  return line
    .split(TOKENS)
    .filter(Boolean)
    .map((part) => {
      if (part.startsWith("#")) return element("span", { class: "comment" }, part);
      return TOKENS.test(part) ? element("b", {}, part) : part;
    });
}
