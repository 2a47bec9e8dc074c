// Writes the drawing on the screen to a file: SVG with every style written out, or PNG. Knows
// nothing about networks.

const SVG = "http://www.w3.org/2000/svg";

/** Inherited properties, with their initial values. */
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

/** Parts that serve the cursor or an animation, not a picture. */
const NOT_IN_PICTURE = ".hit, .halo, .frame, .flow";
const PAGE_ONLY = /^(class|role|tabindex|focusable|aria-|data-)/;

/**
 * @typedef {Object} Caption
 * @property {string} title
 * @property {string} description
 */

/**
 * The drawing as it looks now, in the theme on the screen, as a document of its own.
 * It must be on the screen.
 * @param {SVGSVGElement} drawing with a viewBox in pixels
 * @param {Caption} caption
 * @returns {{text: string, width: number, height: number}}
 */
export function svgOf(drawing, caption) {
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
  const background = { width, height, fill: backgroundOf(drawing) };
  root.append(
    textElement("title", caption.title, { id: "title" }),
    textElement("desc", caption.description, { id: "description" }),
    shape("rect", background),
    copyOf(drawing, null),
  );
  return { text: `${new XMLSerializer().serializeToString(root)}\n`, width, height };
}

/**
 * Draw such a document in pixels.
 * @param {{text: string, width: number, height: number}} document
 * @param {number} scale pixels for each pixel of the screen
 * @returns {Promise<Blob>}
 */
export async function pngOf({ text, width, height }, scale) {
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

/** The colour behind the drawing: the first that is not transparent. @param {Element} drawing */
function backgroundOf(drawing) {
  for (let at = /** @type {Element|null} */ (drawing); at !== null; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (colour !== "transparent" && !colour.endsWith(", 0)")) return colour;
  }
  return "none";
}

/** @param {string} tag @param {string} text @param {Record<string, string>} [attributes] */
function textElement(tag, text, attributes = {}) {
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
 * A copy with its style in attributes. The outermost element becomes a group.
 * @param {Element} node
 * @param {CSSStyleDeclaration|null} above
 */
function copyOf(node, above) {
  const style = getComputedStyle(node);
  const copy = document.createElementNS(SVG, above === null ? "g" : node.localName);
  if (above !== null) {
    for (const { name, value } of node.attributes)
      if (!PAGE_ONLY.test(name)) copy.setAttribute(name, value);
  }
  writeStyle(copy, style, above);
  const { name, value } = /** @type {SVGElement} */ (node).dataset;
  if (value !== undefined) copy.append(textElement("title", `${name} = ${value}`));
  for (const child of node.childNodes) {
    if (child instanceof Text) copy.append(child.data);
    else if (child instanceof Element && isInPicture(child)) copy.append(copyOf(child, style));
  }
  return copy;
}

/** @param {Element} node */
function isInPicture(node) {
  const { display, visibility } = getComputedStyle(node);
  const isPart =
    node instanceof SVGElement &&
    ["linearGradient", "stop", "clipPath", "defs"].includes(node.localName);
  return (
    !node.matches(NOT_IN_PICTURE) && (isPart || (display !== "none" && visibility !== "hidden"))
  );
}

/**
 * @param {Element} copy
 * @param {CSSStyleDeclaration} style
 * @param {CSSStyleDeclaration|null} above
 */
function writeStyle(copy, style, above) {
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
