// Numbers as people type them. Pure; knows nothing about fields.

const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,4})?$/i;

/**
 * The number that a text says in decimal digits, such as "0.01", "−3", "1e-4" or ".5"; null for every other text.
 * Stricter than Number(), for which "" is 0, "0x10" is 16, and "Infinity" is a number.
 * @param {string} text
 * @returns {number|null}
 */
export function parseDecimal(text) {
  const plain = text.trim().replace("\u2212", "-");
  const value = DECIMAL.test(plain) ? Number(plain) : NaN;
  return Number.isFinite(value) ? value : null;
}

/** The same of a text with commas between its thousands, as the page writes large numbers. @param {string} text */
export const parseGrouped = (text) =>
  parseDecimal(
    /^\s*[+\u2212-]?\d{1,3}(,\d{3})+(?!\d|,)/.test(text) ? text.replaceAll(",", "") : text,
  );

/** The same of a text that says a whole number, not below 0. @param {string} text */
export function parseCount(text) {
  const value = /^[\s\d,]*$/.test(text) ? parseGrouped(text) : null;
  return value !== null && Number.isSafeInteger(value) ? value : null;
}
