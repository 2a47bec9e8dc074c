// Makes elements and sets their text. Knows nothing about livegrad.

/** @typedef {Node|string} Child */

/**
 * Make an element. Attributes that begin with `on` are listeners; true and false add or leave out
 * an
 * attribute; the others are set as text.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else set(made, name, value);
  }
  made.append(...children);
  return made;
}

/**
 * Make an SVG element.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) set(made, name, value);
  made.append(...children);
  return made;
}

/**
 * Set an attribute, only when it changes. true: present; false, null: absent.
 * @param {Element} target
 * @param {string} name
 * @param {string|number|boolean|null|undefined} value
 */
export function set(target, name, value) {
  const text = value === true ? "" : value === false || value == null ? null : String(value);
  if (target.getAttribute(name) === text) return;
  if (text === null) target.removeAttribute(name);
  else target.setAttribute(name, text);
}

/** @type {WeakMap<Node, string>} */
const written = new WeakMap();

/** Set an element's text, only when it changes. @param {Node} target @param {string} text */
export function write(target, text) {
  if (written.get(target) === text) return;
  written.set(target, text);
  target.textContent = text;
}

/**
 * A function that calls `call` only when one of its arguments differs from last time.
 * @template {any[]} T
 * @param {(...values: T) => void} call
 */
export function whenChanged(call) {
  /** @type {any[]|null} */
  let last = null;
  return (/** @type {T} */ ...values) => {
    if (
      last !== null &&
      last.length === values.length &&
      values.every((value, i) => Object.is(value, last?.[i]))
    )
      return;
    last = values;
    call(...values);
  };
}

/** Sentences in which `code` stands in backticks. @param {string} text @returns {Child[]} */
export function prose(text) {
  return text.split("`").map((part, i) => (i % 2 === 1 ? element("code", {}, part) : part));
}

/**
 * For onmousedown: a click leaves the focus where it was, so that Space still means Train.
 * @param {Event} event
 */
export const keepFocus = (event) => event.preventDefault();

/**
 * A button of the page's own bars.
 * @param {string} id
 * @param {string} text
 * @param {string} title
 * @param {() => void} act
 */
export const barButton = (id, text, title, act) =>
  element("button", { type: "button", id, title, onclick: act, onmousedown: keepFocus }, text);

/**
 * How much larger the page's text is than on a small screen. What is drawn in pixels grows with it.
 */
export const zoom = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 14;
