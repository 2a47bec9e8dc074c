// As much of a document as the drawing writes to, so that what it says can be read without a
// browser.

class FakeNode {
  /** @type {FakeNode|null} */
  parentNode = null;
  /** @type {FakeNode[]} */
  children = [];
  /** @type {Record<string, string>} */
  attributes = {};
  textContent = "";
  style = { setProperty() {} };

  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }
  get parentElement() {
    return this.parentNode;
  }
  /** @param {string} name @param {string} value */
  setAttribute(name, value) {
    this.attributes[name] = value;
  }
  /** @param {string} name */
  removeAttribute(name) {
    delete this.attributes[name];
  }
  /** @param {FakeNode} child */
  append(child) {
    child.remove();
    child.parentNode = this;
    this.children.push(child);
  }
  /** @param {FakeNode} child */
  prepend(child) {
    child.remove();
    child.parentNode = this;
    this.children.unshift(child);
  }
  remove() {
    if (this.parentNode === null) return;
    this.parentNode.children = this.parentNode.children.filter((child) => child !== this);
    this.parentNode = null;
  }
  /**
   * Itself and all below that have these attribute values.
   * @param {Record<string, string>} wanted
   * @returns {FakeNode[]}
   */
  all(wanted) {
    const own = Object.entries(wanted).every(([name, value]) => this.attributes[name] === value);
    return [...(own ? [this] : []), ...this.children.flatMap((child) => child.all(wanted))];
  }
}

/** Put it in the place of the browser's. @returns {FakeNode} something to draw in */
export function installDocument() {
  Object.assign(globalThis, {
    document: {
      createElementNS: (/** @type {string} */ _, /** @type {string} */ name) => new FakeNode(name),
    },
  });
  return new FakeNode("div");
}
