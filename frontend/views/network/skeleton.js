// Draws the network before anything is known about it: boxes and edges without numbers. Knows
// nothing about parameters.

import { arrange } from "../../lib/geometry.js";
import { Mark } from "./mark.js";

/** @import { Box } from "../../lib/geometry.js" */

/** The default run's hidden units, until the run is known. */
const HIDDEN = 13;

/** @param {Mark} svg @param {number} width @param {number} height @param {number} [hidden] */
export function drawSkeleton(svg, width, height, hidden = HIDDEN) {
  const plan = arrange(width, height, hidden);
  const root = new Mark("g", svg, { class: "skeleton" });
  for (const { path } of [...plan.incoming, ...plan.outgoing])
    new Mark("path", root, { class: "line", d: path });
  const box = (/** @type {Box} */ place) =>
    new Mark("rect", root, { class: "box", rx: Math.min(7, place.height / 4), ...place });
  for (const place of [plan.input, ...plan.units.map((unit) => unit.box), plan.output.box])
    box(place);
  return root;
}
