// The lines of the runs that are laid over a chart, and what the key says about each. Knows nothing
// about how they are drawn.

import { distinct, lookOf, PARAMETERS } from "../../compare/overlay_series.js";
import { divergenceNote, divergenceText } from "../../compare/run_tree.js";
import { element, keepFocus, set, write } from "../dom.js";

/** @import { Line } from "../chart.js" */
/** @import { Overlay, Run, Store } from "../../types.js" */

const WIDTH = 1.3;

/**
 * The overlaid runs as one text: when it changes, the chart is made anew.
 * @param {Overlay[]} overlays
 */
export const overlayKey = (overlays) =>
  overlays.map(({ run }) => `${run.id} ${run.name}`).join("\n");

/**
 * One line of each run, with its name, where it differs from the run on the screen, and a button
 * that removes it.
 * @param {Overlay[]} overlays
 * @param {Store} store
 * @param {string} colour
 */
export function namedOverlayLines(overlays, store, colour) {
  const tails = overlays.map(({ run }) => createTail(run, store));
  const names = distinct(overlays.map(({ run }) => run)).map(({ name }) => name);
  /** @type {Line[]} */
  const lines = overlays.map((_, i) => ({
    label: names[i],
    ...lookOf(colour, i + 1),
    width: WIDTH,
    tail: tails[i].root,
  }));
  return {
    lines,
    /** @param {Overlay[]} newest the same runs @param {Run|null} base */
    say: (newest, base) => newest.forEach((one, i) => tails[i]?.say(one, base)),
  };
}

/**
 * All gradient norms of each run. The key of the loss chart says which line belongs to which run.
 * @param {Overlay[]} overlays
 * @param {string} colour
 * @returns {Line[]}
 */
export function quietOverlayLines(overlays, colour) {
  return overlays.flatMap((_, i) =>
    PARAMETERS.map((label) => ({ label, ...lookOf(colour, i + 1), width: WIDTH, isQuiet: true })),
  );
}

/** @param {Run} run @param {Store} store */
function createTail(run, store) {
  const note = element("span", { class: "overlay-note" });
  const off = element(
    "button",
    {
      ...{
        type: "button",
        class: "remove-overlay",
        title: "Remove it from the charts",
        "aria-label": `Remove ${run.name} from the charts`,
      },
      ...{
        onclick: () => store.dispatch({ type: "overlay", id: run.id, isShown: false }),
        onmousedown: keepFocus,
      },
    },
    "×",
  );
  return {
    root: element("span", { class: "overlay-tail" }, note, off),
    /** @param {Overlay} overlay @param {Run|null} base */
    say({ run: { name }, divergence }, base) {
      write(note, divergence === null || base === null ? "" : divergenceNote(divergence));
      set(
        note,
        "title",
        divergence === null || base === null ? null : divergenceText(base.name, name, divergence),
      );
    },
  };
}
