// The light on whatever the cursor, the keyboard or another card has chosen. Knows nothing about events.

import { Mark } from "./mark.js";

/** @import { Target } from "../../types.js" */
/** @import { Box, Plan, Slots } from "../../lib/geometry.js" */

export class Halo {
  /** @param {Mark} parent @param {Plan} plan */
  constructor(parent, plan) {
    this.plan = plan;
    this.line = new Mark("path", parent, { class: "halo" });
    this.frame = new Mark("path", parent, { class: "halo frame" });
  }

  /** @param {Target|null} target */
  draw(target) {
    this.line.set("d", target === null ? "" : this.#lines(target));
    this.frame.set("d", target === null ? "" : this.#frames(target));
  }

  /** A unit takes its edges with it. @param {Target} target */
  #lines(target) {
    const { incoming, outgoing } = this.plan;
    if (target.kind === "unit") return (incoming[target.unit]?.path ?? "") + (outgoing[target.unit]?.path ?? "");
    if (target.kind !== "parameter") return "";
    const edges = target.parameter === 0 ? incoming : target.parameter === 2 ? outgoing : [];
    return edges[target.index]?.path ?? "";
  }

  /** @param {Target} target */
  #frames(target) {
    const { units, output, input } = this.plan;
    if (target.kind === "input") return around(input);
    if (target.kind === "output") return around(output.box);
    if (target.kind === "unit") return units[target.unit] ? around(units[target.unit].box) : "";
    if (target.parameter === 1 && units[target.index]) return around(biasBox(units[target.index].box, units[target.index].bias));
    return target.parameter === 3 ? around(biasBox(output.box, output.bias)) : "";
  }
}

/** The part of a box that belongs to its bias. @param {Box} box @param {Slots} slots @returns {Box} */
const biasBox = (box, { cell }) => ({ ...box, width: cell.width });

/** @param {Box} box */
function around({ x, y, width, height }) {
  return `M${x - 2} ${y - 2}h${width + 4}v${height + 4}h${-width - 4}Z`;
}
