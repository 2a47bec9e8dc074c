// The network card: every parameter's value, gradient and change. Composes the drawing and listens
// to the cursor and the keyboard; knows nothing about the socket or the other views.

import { Mark } from "./network/mark.js";
import { isAtRest, Picture } from "./network/picture.js";
import { Scene } from "./network/scene.js";
import { drawSkeleton } from "./network/skeleton.js";
import { Tooltip } from "./network/tooltip.js";

/** @import { Layout, Moment, RunData, State, Store, Target, View } from "../types.js" */

const DESCRIPTION = "The network: arrow keys move through its parameters and units, Enter pins one";

/** A page may hold more than one drawing, and ids must be unique. */
let mounted = 0;

/** @param {HTMLElement} element @param {Store} store @returns {View} */
export function mount(element, store) {
  const drawing = new Drawing(element, store);
  return { draw: (state) => drawing.draw(state), unmount: () => drawing.unmount() };
}

/**
 * @typedef {Object} Made
 * @property {string|undefined} run
 * @property {Layout|null} layout
 * @property {RunData|null} data
 * @property {number|undefined} hidden
 */

class Drawing {
  /** @type {Scene|null} */
  #scene = null;
  /** @type {Mark|null} */
  #skeleton = null;
  /** @type {Picture|null} */
  #picture = null;
  /**
   * What the scene was made from.
   * @type {Made}
   */
  #made = { run: undefined, layout: null, data: null, hidden: undefined };
  /**
   * What was drawn last: nothing is drawn when nothing has changed.
   * @type {{moment: Moment|null, dark: boolean, isAtRest: boolean}}
   */
  #drawn = { moment: null, dark: false, isAtRest: false };
  /** Set by the first measurement. @type {{width: number, height: number}|null} */
  #size = null;
  /**
   * The target that is hovered or focused in this drawing. Only it gets a tooltip; one that was
   * chosen
   * in another card does not.
   * @type {Target|null}
   */
  #own = null;
  /** @type {State|null} */
  #state = null;

  /** @param {HTMLElement} element @param {Store} store */
  constructor(element, store) {
    this.store = store;
    this.id = `network-${++mounted}`;
    this.frame = element.appendChild(document.createElement("div"));
    this.frame.className = "network";
    this.svg = new Mark("svg", null, {
      class: "drawing",
      role: "application",
      "aria-label": DESCRIPTION,
    });
    this.frame.append(this.svg.node);
    this.tooltip = new Tooltip(this.frame);
    this.sizes = new ResizeObserver(([entry]) => this.#resize(entry.contentRect));
    this.sizes.observe(this.frame);
    this.#listen();
  }

  unmount() {
    this.sizes.disconnect();
    this.frame.remove();
  }

  /** @param {State} state */
  draw(state) {
    this.#state = state;
    if (this.#size === null) return;
    const { layout, moment, run } = state;
    if (layout === null || layout.parameters.length !== 4 || moment === null) {
      this.#wait(run?.config?.hidden);
      return;
    }
    const scene = this.#sceneFor(state, layout);
    this.#drawMoment(scene, state, moment);
    scene.light(state.target, state.pin);
    this.tooltip.draw(
      this.#own === null ? null : state.target,
      this.#picture,
      scene.plan,
      scene.activation,
    );
  }

  /** @param {Scene} scene @param {State} state @param {Moment} moment */
  #drawMoment(scene, state, moment) {
    const { dark } = state;
    const still = isAtRest(state);
    const drawn = this.#drawn;
    if (moment === drawn.moment && dark === drawn.dark && still === drawn.isAtRest) return;
    this.#drawn = { moment, dark, isAtRest: still };
    scene.picture.take(state, moment);
    scene.draw(state, moment);
  }

  /**
   * The scene for this run in this size. The scales stay as long as the run is the same.
   * @param {State} state
   * @param {Layout} layout
   */
  #sceneFor(state, layout) {
    const { run, data } = state;
    const made = this.#made;
    if (
      this.#scene !== null &&
      made.layout === layout &&
      made.data === data &&
      made.run === run?.id
    )
      return this.#scene;
    if (this.#picture === null || made.layout !== layout || made.run !== run?.id)
      this.#picture = new Picture(layout);
    const hadFocus = this.svg.node.contains(document.activeElement);
    const position = this.#scene?.rovingFocus.position;
    this.#clear();
    const { width, height } = /** @type {{width: number, height: number}} */ (this.#size);
    this.#scene = new Scene(this.svg, this.#picture, state, width, height, this.id);
    this.#made = { run: run?.id, layout, data, hidden: undefined };
    if (position !== undefined) this.#scene.rovingFocus.restore(position);
    if (hadFocus) this.#scene.rovingFocus.stop.node.focus();
    return this.#scene;
  }

  /** @param {number|undefined} hidden */
  #wait(hidden) {
    if (this.#size === null || (this.#skeleton !== null && this.#made.hidden === hidden)) return;
    this.#clear();
    this.#made = { run: undefined, layout: null, data: null, hidden };
    this.#skeleton = drawSkeleton(this.svg, this.#size.width, this.#size.height, hidden);
    this.svg.set("aria-busy", "true");
    this.tooltip.draw(null, null, null, "none");
  }

  #clear() {
    this.#scene?.root.node.remove();
    this.#skeleton?.node.remove();
    this.#scene = this.#skeleton = null;
    this.#drawn = { moment: null, dark: false, isAtRest: false };
    this.svg.set("aria-busy", null);
  }

  /**
   * Called by the browser with the sizes of its layout; drawing itself measures nothing.
   * @param {DOMRectReadOnly} box
   */
  #resize({ width, height }) {
    if (width < 1 || height < 1) return;
    this.#size = { width: Math.round(width), height: Math.round(height) };
    this.svg.set("viewBox", `0 0 ${this.#size.width} ${this.#size.height}`);
    this.#made.layout = null;
    this.#made.hidden = -1;
    if (this.#state !== null) this.draw(this.#state);
  }

  #listen() {
    // On the frame, because an SVG that listens for focus becomes a tab stop itself.
    const node = this.frame;
    const under = (/** @type {Event} */ { target }) => this.#scene?.targetAt(target) ?? null;
    node.addEventListener("pointerover", (event) => this.#aim(under(event) ?? this.#focused()));
    node.addEventListener("pointerleave", () => this.#aim(this.#focused()));
    node.addEventListener("focusin", (event) => this.#aim(under(event)));
    node.addEventListener("focusout", ({ relatedTarget }) => {
      if (this.#scene === null || this.#scene.targetAt(relatedTarget) === null) this.#aim(null);
    });
    node.addEventListener("click", (event) => this.#pin(under(event)));
    node.addEventListener("keydown", (event) => this.#press(event));
  }

  /**
   * Tell the store what is hovered or focused, unless it knows. Another card may have told it
   * something else since.
   * @param {Target|null} target
   */
  #aim(target) {
    if (target === this.#own && target === this.store.state.hovered) return;
    this.#own = target;
    this.store.dispatch({ type: "target", target });
  }

  /** @param {Target|null} target */
  #pin(target) {
    if (target === null) return;
    this.#scene?.rovingFocus.follow(target);
    this.store.dispatch({ type: "pin", target });
  }

  /** The focused target, if the focus is visible. */
  #focused() {
    const { activeElement } = document;
    const isSeen =
      activeElement !== null &&
      this.svg.node.contains(activeElement) &&
      activeElement.matches(":focus-visible");
    return isSeen ? (this.#scene?.targetAt(activeElement) ?? null) : null;
  }

  /** Arrow keys belong to the drawing while it has the focus. @param {KeyboardEvent} event */
  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.#scene === null) return;
    if (event.key === "Enter") this.#pin(this.#scene.targetAt(event.target));
    else if (!this.#scene.rovingFocus.press(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }
}
