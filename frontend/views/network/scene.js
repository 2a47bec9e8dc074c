// Everything that is drawn for one network in one size; made anew when either changes. Knows
// nothing about events.

import { arrange } from "../../lib/geometry.js";
import { isSame } from "../../lib/target.js";
import { ArrowPaths } from "./arrows.js";
import { Chip } from "./chips.js";
import { Edge } from "./edges.js";
import { Flow } from "./flow.js";
import { Halo } from "./halo.js";
import { drawHeadings } from "./headings.js";
import { Legend } from "./legend.js";
import { Mark } from "./mark.js";
import { RovingFocus } from "./roving_focus.js";
import { Input, inputRange, Output, Unit, UnitRange } from "./units.js";

/** @import { Moment, State, Target } from "../../types.js" */
/** @import { Stop } from "./roving_focus.js" */
/** @import { Picture } from "./picture.js" */

/** @typedef {{target: Target, node: SVGElement, draw: (picture: Picture) => void}} Element */

/** @typedef {{target: Target|null, node: SVGElement|null}} Choice */

/** @type {Choice} */
const NOTHING = { target: null, node: null };
const [HIDDEN_WEIGHT, HIDDEN_BIAS, OUTPUT_WEIGHT, OUTPUT_BIAS] = [0, 1, 2, 3];

export class Scene {
  /** The target of each element. @type {WeakMap<Node, Target>} */
  targets = new WeakMap();
  /** @type {Choice} */
  #lit = NOTHING;
  /** @type {Choice} */
  #pressed = NOTHING;

  /**
   * @param {Mark} svg
   * @param {Picture} picture
   * @param {State} state
   * @param {number} width
   * @param {number} height
   * @param {string} id prefix for ids in the page
   */
  constructor(svg, picture, state, width, height, id) {
    this.picture = picture;
    this.hidden = picture.layout.parameters[HIDDEN_BIAS].size;
    this.plan = arrange(width, height, this.hidden);
    this.activation = state.run?.config?.activation ?? "tanh";
    this.root = new Mark("g", svg, {
      class: `scene${this.plan.crowded ? " crowded" : ""}${this.plan.narrow ? " narrow" : ""}`,
    });
    // On the element around the drawing, so that the tooltip inherits them too.
    const { style } = /** @type {HTMLElement} */ (svg.node.parentElement);
    style.setProperty("--scale", String(this.plan.scale));
    style.setProperty("--type", String(this.plan.type));
    drawHeadings(this.root, this.plan, picture.layout, state.run, state.data);
    this.halo = new Halo(this.root, this.plan);
    const paths = new ArrowPaths(this.plan);
    this.ranges = new UnitRange(this.activation, inputRange(state.data));
    this.columns = this.#addColumns(state, paths, id);
    this.halo.frame.show(this.root, true);
    this.flow = new Flow(this.root, this.plan);
    this.legend = new Legend(
      this.root,
      this.plan,
      picture,
      paths,
      state.run?.config?.optimizer.kind ?? "",
      `${id}-ramp`,
    );
    for (const { target, node } of this.columns.flat()) this.targets.set(node, target);
    this.rovingFocus = new RovingFocus(/** @type {Stop[][]} */ (this.columns));
  }

  /**
   * The columns in reading order, which is also the order of painting.
   * @param {State} state
   * @param {ArrowPaths} paths
   * @param {string} id
   * @returns {Element[][]}
   */
  #addColumns(state, paths, id) {
    const { plan, picture, root } = this;
    const layer = (/** @type {string} */ name) => new Mark("g", root, { class: name });
    const edges = (
      /** @type {import("../../lib/geometry.js").Edge[]} */ places,
      /** @type {number} */ parameter,
    ) => {
      const group = layer("edges");
      return places.map((place, j) =>
        parameterMark(new Edge(group, picture, plan, place, paths, parameter, j)),
      );
    };
    const input = [whole(new Input(layer("ends"), plan, state.data))];
    const incoming = edges(plan.incoming, HIDDEN_WEIGHT);
    const outgoing = edges(plan.outgoing, OUTPUT_WEIGHT);
    const middle = layer("units");
    const units = plan.units.map((node, j) => whole(new Unit(middle, plan, node, j, this.ranges)));
    const chips = plan.units.map(({ bias }, j) =>
      parameterMark(new Chip(middle, picture, plan, bias, paths, HIDDEN_BIAS, j)),
    );
    const end = layer("ends");
    const output = [whole(new Output(end, plan, state.data, this.activation, `${id}-clip`))];
    const last = [
      parameterMark(new Chip(end, picture, plan, plan.output.bias, paths, OUTPUT_BIAS, 0)),
    ];
    return [input, incoming, chips, units, outgoing, last, output];
  }

  /** Draw the numbers. @param {State} state @param {Moment} moment */
  draw(state, moment) {
    this.ranges.update(this.picture, this.hidden);
    for (const column of this.columns) for (const element of column) element.draw(this.picture);
    this.legend.draw(this.picture);
    this.flow.draw(state, moment);
  }

  /** @param {Target|null} target @param {Target|null} pin */
  light(target, pin) {
    this.halo.draw(target);
    this.#lit = this.#move(this.#lit, target, "data-lit");
    this.#pressed = this.#move(this.#pressed, pin, "aria-pressed");
  }

  /**
   * Set an attribute on one element, and remove it from another.
   * @param {Choice} was
   * @param {Target|null} target
   * @param {string} name
   * @returns {Choice}
   */
  #move(was, target, name) {
    if (was.target === target) return was;
    const node =
      this.columns.flat().find((element) => target !== null && isSame(element.target, target))
        ?.node ?? null;
    was.node?.removeAttribute(name);
    node?.setAttribute(name, "true");
    return { target, node };
  }

  /** The target that a node is part of. @param {EventTarget|null} node @returns {Target|null} */
  targetAt(node) {
    for (
      let at = /** @type {Node|null} */ (node);
      at !== null && at !== this.root.node;
      at = at.parentNode
    ) {
      const target = this.targets.get(at);
      if (target !== undefined) return target;
    }
    return null;
  }
}

/** @param {Edge|Chip} made @returns {Element} */
const parameterMark = (made) => ({
  target: made.target,
  node: made.parameterMark.group.node,
  draw: (picture) => made.draw(picture),
});

/** @param {Unit|Input|Output} made @returns {Element} */
const whole = (made) => ({
  target: made.target,
  node: made.group.node,
  draw: (picture) => made.draw(picture),
});
