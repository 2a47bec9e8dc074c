// Animates the edges when a phase is reached: to the right in forward(), to the left in backward().
// Derived from the moment before and the moment now; knows nothing about values.

import { Mark } from "./mark.js";

/** @import { Moment, State } from "../../types.js" */
/** @import { Plan } from "../../lib/geometry.js" */

export class Flow {
  /** @type {Moment|null} */
  #last = null;

  /** @param {Mark} parent @param {Plan} plan */
  constructor(parent, plan) {
    this.group = new Mark("g", parent, { class: "flow" });
    this.plan = plan;
    this.isDrawn = false;
  }

  /** @param {State} state @param {Moment} moment */
  draw(state, moment) {
    const last = this.#last;
    this.#last = moment;
    if (last === null || last.phase === moment.phase) return;
    const still = state.reducedMotion || state.run?.state === "running" || state.visited !== null;
    const moving = moment.phase === "forward" || moment.phase === "backward";
    if (moving && !still) this.#drawPaths();
    this.group.set("data-flow", moving && !still ? moment.phase : null);
  }

  /** Most runs are never stepped by phase, so the paths are made when a phase is first shown. */
  #drawPaths() {
    if (this.isDrawn) return;
    this.isDrawn = true;
    const edges = /** @type {const} */ ([
      ["first", this.plan.incoming],
      ["last", this.plan.outgoing],
    ]);
    for (const [kind, places] of edges) {
      for (const { path } of places)
        new Mark("path", this.group, { class: kind, d: path, pathLength: 100 });
    }
  }
}
