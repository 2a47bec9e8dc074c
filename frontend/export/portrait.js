// The drawing on the screen as a file of its own: SVG with every style written out, or PNG. Knows nothing of networks.

const SVG = "http://www.w3.org/2000/svg";

/** Properties that an element hands down, with what they are where nobody says otherwise. */
const INHERITED = {
  fill: "rgb(0, 0, 0)",
  "fill-opacity": "1",
  stroke: "none",
  "stroke-width": "1px",
  "stroke-opacity": "1",
  "stroke-linecap": "butt",
  "stroke-linejoin": "miter",
  "stroke-dasharray": "none",
  "stroke-dashoffset": "0px",
  "paint-order": "normal",
  "font-family": "",
  "font-size": "",
  "font-weight": "400",
  "font-style": "normal",
  "text-anchor": "start",
  "dominant-baseline": "auto",
};
const OWN = {
  opacity: "1",
  "stop-color": "rgb(0, 0, 0)",
  "stop-opacity": "1",
  "vector-effect": "none",
};

/** What is there for a hand or an eye that follows, not for a picture. */
const NOT_PICTURED = ".hit, .halo, .frame, .flow";
const CHATTER = /^(class|role|tabindex|focusable|aria-|data-)/;

/**
 * @typedef {Object} Words
 * @property {string} title
 * @property {string} description
 */

/**
 * Write a drawing as it looks now, theme and all, as a document of its own. It must be on the screen.
 * @param {SVGSVGElement} drawing with a viewBox in pixels
 * @param {Words} words
 * @returns {{text: string, width: number, height: number}}
 */
export function portray(drawing, words) {
  const { width, height } = drawing.viewBox.baseVal;
  const root = document.createElementNS(SVG, "svg");
  const facts = {
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-labelledby": "title description",
  };
  for (const [name, value] of Object.entries(facts)) root.setAttribute(name, String(value));
  const paper = { width, height, fill: groundOf(drawing) };
  root.append(
    worded("title", words.title, { id: "title" }),
    worded("desc", words.description, { id: "description" }),
    shape("rect", paper),
    pictured(drawing, null),
  );
  return { text: `${new XMLSerializer().serializeToString(root)}\n`, width, height };
}

/**
 * Draw a portrait in pixels.
 * @param {{text: string, width: number, height: number}} portrait
 * @param {number} scale pixels for one of the screen's
 * @returns {Promise<Blob>}
 */
export async function rasterise({ text, width, height }, scale) {
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await blobOf(canvas);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
function blobOf(canvas) {
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) =>
      blob === null ? reject(new Error("the picture could not be drawn")) : resolve(blob),
    ),
  );
}

/** The colour behind the drawing: the first that is not see-through. @param {Element} drawing */
function groundOf(drawing) {
  for (let at = /** @type {Element|null} */ (drawing); at !== null; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (colour !== "transparent" && !colour.endsWith(", 0)")) return colour;
  }
  return "none";
}

/** @param {string} tag @param {string} text @param {Record<string, string>} [attributes] */
function worded(tag, text, attributes = {}) {
  const made = shape(tag, attributes);
  made.textContent = text;
  return made;
}

/** @param {string} tag @param {Record<string, string|number>} attributes */
function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/**
 * A copy with its style in attributes. The outermost becomes a group.
 * @param {Element} node
 * @param {CSSStyleDeclaration|null} above
 */
function pictured(node, above) {
  const style = getComputedStyle(node);
  const copy = document.createElementNS(SVG, above === null ? "g" : node.localName);
  if (above !== null) {
    for (const { name, value } of node.attributes)
      if (!CHATTER.test(name)) copy.setAttribute(name, value);
  }
  dress(copy, style, above);
  const { name, value } = /** @type {SVGElement} */ (node).dataset;
  if (value !== undefined) copy.append(worded("title", `${name} = ${value}`));
  for (const child of node.childNodes) {
    if (child instanceof Text) copy.append(child.data);
    else if (child instanceof Element && isPictured(child)) copy.append(pictured(child, style));
  }
  return copy;
}

/** @param {Element} node */
function isPictured(node) {
  const { display, visibility } = getComputedStyle(node);
  const isPart =
    node instanceof SVGElement &&
    ["linearGradient", "stop", "clipPath", "defs"].includes(node.localName);
  return !node.matches(NOT_PICTURED) && (isPart || (display !== "none" && visibility !== "hidden"));
}

/**
 * @param {Element} copy
 * @param {CSSStyleDeclaration} style
 * @param {CSSStyleDeclaration|null} above
 */
function dress(copy, style, above) {
  for (const [name, initial] of Object.entries(INHERITED)) {
    const value = style.getPropertyValue(name);
    const before = above === null ? initial : above.getPropertyValue(name);
    if (value.startsWith("url(")) continue;
    if (value !== before || copy.hasAttribute(name)) copy.setAttribute(name, value);
  }
  for (const [name, initial] of Object.entries(OWN)) {
    const value = style.getPropertyValue(name);
    if (value !== initial && value !== "") copy.setAttribute(name, value);
    else copy.removeAttribute(name);
  }
}
