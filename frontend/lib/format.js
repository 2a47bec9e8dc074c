// Writes numbers, names and shapes as text. Knows nothing about where the text is shown.

/** @import { Layout, Target } from "../types.js" */

const MINUS = "\u2212";

/**
 * The text of a number that is not finite.
 * @param {number} value
 * @param {string} minus
 */
const unwritable = (value, minus) =>
  Number.isNaN(value) ? "nan" : value > 0 ? "inf" : `${minus}inf`;

/**
 * Short text for people, with `digits` significant digits and a real minus sign: "0.5239",
 * "−2.100e-5".
 * @param {number} value
 * @param {number} [digits]
 */
export function format(value, digits = 4) {
  if (!Number.isFinite(value)) return unwritable(value, MINUS);
  if (value === 0) return "0";
  const text = magnitude(Math.abs(value), digits);
  return value < 0 ? MINUS + text : text;
}

/** @param {number} value positive @param {number} digits */
function magnitude(value, digits) {
  const rounded = Number(value.toPrecision(digits));
  const plain = rounded >= 1e-3 && rounded < Math.max(1e4, 10 ** digits);
  if (!plain) return value.toExponential(digits - 1).replace("e+", "e");
  const decimals = digits - 1 - Math.floor(Math.log10(rounded));
  return value.toFixed(Math.max(0, Math.min(decimals, 9)));
}

/** FLT_DIG: a decimal of at most so many digits survives a float32. */
const ALWAYS_EXACT = 6;

/**
 * The shortest decimal that reads back as the same float32, for programs: ASCII minus, "nan",
 * "inf", "-inf".
 * @param {number} value a float32
 */
export function exact(value) {
  if (!Number.isFinite(value)) return unwritable(value, "-");
  if (Object.is(value, -0)) return "-0";
  for (let digits = ALWAYS_EXACT; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

/**
 * The name that PyTorch gives an element: "hidden_linear.weight[9, 0]".
 * @param {Layout} layout
 * @param {Target} target
 */
export function elementName(layout, target) {
  if (target.kind === "unit") return `unit ${target.unit}`;
  if (target.kind !== "parameter") return target.kind;
  const { name, shape } = layout.parameters[target.parameter];
  return `${name}[${subscripts(shape, target.index).join(", ")}]`;
}

/**
 * The index in each dimension of a flat, row-major one.
 * @param {number[]} shape
 * @param {number} flat
 */
export function subscripts(shape, flat) {
  const found = new Array(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    found[axis] = flat % shape[axis];
    flat = Math.floor(flat / shape[axis]);
  }
  return found;
}

/** As PyTorch prints a shape: "[13, 1]". @param {number[]} shape */
export const shapeText = (shape) => `[${shape.join(", ")}]`;

/** A step with commas between its thousands: "12,000". @param {number} step */
export const stepText = (step) => step.toLocaleString("en");
