// Numbers: as people type them, as JSON writes them, and how long a vector is.
// Pure; knows nothing about fields, records or the page.

const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?$/i;

/**
 * The number that a text writes in decimal digits, such as "0.01", "−3", "1e-4" or ".5"; null for
 * every other text. Stricter than Number(), for which "" is 0, "0x10" is 16, and "Infinity" is a
 * number.
 * @param {string} text
 * @returns {number|null}
 */
export function parseDecimal(text) {
  const plain = text.trim().replace("\u2212", "-");
  const value = DECIMAL.test(plain) ? Number(plain) : NaN;
  return Number.isFinite(value) ? value : null;
}

/**
 * The same for a text with commas between its thousands, as the page writes large numbers.
 * @param {string} text
 */
export const parseGrouped = (text) =>
  parseDecimal(
    /^\s*[+\u2212-]?\d{1,3}(,\d{3})+(?!\d|,)/.test(text) ? text.replaceAll(",", "") : text,
  );

/** The same for a whole number that is not below 0. @param {string} text */
export function parseCount(text) {
  const value = /^[\s\d,]*$/.test(text) ? parseGrouped(text) : null;
  return value !== null && Number.isSafeInteger(value) ? value : null;
}

/**
 * A number of a JSON answer, in which NaN and the infinities are texts.
 * @param {number|string|null|undefined} scalar null: NaN
 */
export function numberOf(scalar) {
  if (typeof scalar === "number") return scalar;
  return scalar === "inf" ? Infinity : scalar === "-inf" ? -Infinity : NaN;
}

/**
 * Euclidean norm of some of the values; NaN when one of them is.
 * @param {ArrayLike<number>} values
 * @param {number} from
 * @param {number} size
 */
export function norm(values, from, size) {
  let sum = 0;
  for (let i = from; i < from + size; i++) sum += values[i] * values[i];
  return Math.sqrt(sum);
}
