// The cards that the dashboard and a replay have in common: their places in the page, and how often
// each is drawn. Knows nothing about where the numbers come from.

import { createShown } from "./time/shown_moment.js";
import * as code from "./views/code.js";
import { element } from "./views/dom.js";
import * as fit from "./views/fit.js";
import * as network from "./views/network.js";
import * as parameters from "./views/parameters.js";
import * as stepBadge from "./views/step_badge.js";
import * as timeline from "./views/timeline.js";

/** @import { Clock } from "./stream/clock.js" */
/** @import { TimeCommands } from "./time/time_commands.js" */
/** @import { Store, View } from "./types.js" */

/** Nobody reads numbers or charts faster; the drawing and the fit follow every frame. */
export const READ_MS = 100;
const CHART_MS = 200;

/** @typedef {(root: HTMLElement, store: Store) => View} Mount */
/** @typedef {(view: View, everyMs?: number) => unknown} Show */

/** @param {string} id @returns {HTMLElement} */
export const place = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * Fill `<main>` and the timeline.
 * @param {Object} parts
 * @param {Store} parts.store
 * @param {Clock} parts.clock
 * @param {TimeCommands} parts.timeCommands
 * @param {() => void} parts.branch continue from the step on the screen
 * @param {Mount} parts.inspector
 * @param {{loss: Mount, norms: Mount}} parts.charts
 */
export function mountCards({ store, clock, timeCommands, branch, inspector, charts }) {
  document.querySelector("main")?.append(...places());
  const shown = createShown();
  /** A card that draws the newest state. @type {Show} */
  const show = (view, everyMs) => clock.add(() => view.draw(store.state), everyMs);
  /** A card that draws the visited step, if there is one. @type {Show} */
  const card = (view, everyMs) => clock.add(() => view.draw(shown(store.state)), everyMs);

  card(network.mount(place("network"), store));
  show(stepBadge.mount(place("network"), store));
  card(fit.mount(place("fit"), store));
  card(code.mount(place("code"), store), READ_MS);
  card(parameters.mount(place("parameters"), store), READ_MS);
  card(inspector(place("inspector"), store), READ_MS);
  card(charts.loss(place("loss"), store), CHART_MS);
  card(charts.norms(place("norms"), store), CHART_MS);
  const line = timeline.mount(place("timeline"), store, { timeCommands, branch });
  show(line, READ_MS);
  clock.add(() => line.follow(store.state));
  return { show, card };
}

function places() {
  const left = column("left", [
    section("code", "The training loop"),
    section("parameters", "model.named_parameters()"),
    section("inspector", "The selected element"),
  ]);
  const right = column("right", [
    section("fit", "Fit"),
    section("loss", "Loss", "card chart-card"),
    section("norms", "Norm of each gradient", "card chart-card"),
  ]);
  const middle = section("network", "The network");
  middle.tabIndex = -1; // the skip link leads here
  return [left, middle, right];
}

/** @param {string} id @param {HTMLElement[]} sections */
const column = (id, sections) => element("div", { class: "column", id }, ...sections);

/** @param {string} id @param {string} label @param {string} [kind] */
const section = (id, label, kind = "card") =>
  element("section", { id, class: kind, "aria-label": label });
