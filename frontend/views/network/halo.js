// Highlights what the cursor, the keyboard or another card has selected. Knows nothing about
// events.

import { Mark } from "./mark.js";

/** @import { Target } from "../../types.js" */
/** @import { Box, Node, Plan } from "../../lib/geometry.js" */

export class Halo {
  /** @type {Target|null} */
  #target = null;

  /** @param {Mark} below what lies under the edges @param {Plan} plan */
  constructor(below, plan) {
    this.plan = plan;
    this.line = new Mark("path", below, { class: "halo" });
    /** Drawn above the boxes that it surrounds: append it after them. */
    this.frame = new Mark("path", null, { class: "frame" });
  }

  /** @param {Target|null} target */
  draw(target) {
    if (target === this.#target) return;
    this.#target = target;
    this.line.set("d", target === null ? "" : this.#lines(target));
    this.frame.set("d", target === null ? "" : this.#frames(target));
  }

  /** A unit is highlighted together with its edges. @param {Target} target */
  #lines(target) {
    const { incoming, outgoing } = this.plan;
    if (target.kind === "unit")
      return (incoming[target.unit]?.path ?? "") + (outgoing[target.unit]?.path ?? "");
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
    const node =
      target.parameter === 1 ? units[target.index] : target.parameter === 3 ? output : undefined;
    return node === undefined ? "" : around(biasBox(node));
  }
}

/** The part of a box that belongs to its bias. @param {Node} node @returns {Box} */
function biasBox({ box, bias }) {
  const x = Math.max(box.x, bias.cell.x - 2);
  return { x: x + 2, y: box.y + 2, width: bias.cell.width - 2, height: box.height - 4 };
}

/** @param {Box} box */
const around = ({ x, y, width, height }) =>
  `M${x - 1} ${y - 1}h${width + 2}v${height + 2}h${-width - 2}Z`;
