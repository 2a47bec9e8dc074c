// One SVG element that remembers what was last written to it. Knows nothing about networks.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An SVG element. Attributes are written only when they change: while training runs most do not,
 * and
 * writing them is what takes time.
 */
export class Mark {
  /** Last written, by attribute name. @type {Record<string, string|null>} */
  #written = {};
  #text = "";
  /** Made once. @readonly @type {SVGElement} */
  node;

  /**
   * @param {string} tag
   * @param {Mark|null} parent appended to it; null: made, but not yet shown
   * @param {Record<string, string|number>} [attributes]
   */
  constructor(tag, parent, attributes = {}) {
    this.node = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
    for (const name in attributes) this.set(name, String(attributes[name]));
    parent?.node.append(this.node);
  }

  /** @param {string} name @param {string|null} value null: without it */
  set(name, value) {
    if (this.#written[name] === value) return;
    this.#written[name] = value;
    if (value === null) this.node.removeAttribute(name);
    else this.node.setAttribute(name, value);
  }

  /** @param {string} text */
  say(text) {
    if (this.#text === text) return;
    this.#text = text;
    this.node.textContent = text;
  }

  /** Add it to a parent, or remove it. @param {Mark} parent @param {boolean} shown */
  show(parent, shown) {
    if (shown === (this.node.parentNode !== null)) return;
    if (shown) parent.node.append(this.node);
    else this.node.remove();
  }
}
