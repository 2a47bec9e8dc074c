// The colour of a weight: orange below zero, grey at zero, blue above. Knows nothing about the DOM
// or the names of themes.
//
// Colours are mixed in Oklab, where equal steps look equal. Orange and blue stay apart in every
// common colour blindness. Each colour has a contrast of 3:1 with its theme's card, as WCAG
// requires of graphics that carry a meaning.

/** @typedef {[number, number, number]} Triple red, green, blue in 0…255, or L, a, b in Oklab */
/** @typedef {{negative: Triple, zero: Triple, positive: Triple}} Ramp in Oklab */

/** The ends of the ramps; the same as the page's --weight-… tokens. */
export const ENDS = {
  light: { negative: "#cf6a06", zero: "#8c95a1", positive: "#0f67c6" },
  dark: { negative: "#ffa24a", zero: "#6f7c8c", positive: "#62b0ff" },
};

/** Below 1, so that small weights still show their sign. The legend uses it too. */
const GAMMA = 0.5;
const STEPS = 64;

/** @param {string} hex "#rrggbb" @returns {Triple} */
function parse(hex) {
  const packed = parseInt(hex.slice(1), 16);
  return [packed >> 16, (packed >> 8) & 255, packed & 255];
}

/** @param {number} channel 0…255 */
const linear = (channel) => {
  const share = channel / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
};

/** @param {number} light 0…1 */
const gammaEncoded = (light) => {
  const clipped = Math.min(1, Math.max(0, light));
  const share = clipped <= 0.0031308 ? clipped * 12.92 : 1.055 * clipped ** (1 / 2.4) - 0.055;
  return Math.round(share * 255);
};

/** To Björn Ottosson's Oklab. @param {Triple} rgb @returns {Triple} */
function toOklab(rgb) {
  const [r, g, b] = [linear(rgb[0]), linear(rgb[1]), linear(rgb[2])];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** @param {Triple} lab @returns {Triple} */
function fromOklab([L, a, b]) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    gammaEncoded(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    gammaEncoded(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    gammaEncoded(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** @param {Triple} from @param {Triple} to @param {number} share @returns {string} */
function mixed(from, to, share) {
  const lab = /** @type {Triple} */ (from.map((part, i) => part + (to[i] - part) * share));
  return `#${fromOklab(lab)
    .map((channel) => channel.toString(16).padStart(2, "0"))
    .join("")}`;
}

/**
 * All colours of a theme, from −STEPS to STEPS.
 * @param {{negative: string, zero: string, positive: string}} ends
 */
function ramp(ends) {
  const zero = toOklab(parse(ends.zero));
  const sides = [toOklab(parse(ends.negative)), toOklab(parse(ends.positive))];
  return Array.from({ length: 2 * STEPS + 1 }, (_, i) => {
    const signed = (i - STEPS) / STEPS;
    return mixed(zero, sides[signed < 0 ? 0 : 1], Math.abs(signed) ** GAMMA);
  });
}

const RAMPS = { light: ramp(ENDS.light), dark: ramp(ENDS.dark) };

/**
 * CSS colour of a weight or a bias. NaN is grey; write "nan" beside it.
 * @param {number} value
 * @param {number} scale the magnitude that gets the full colour
 * @param {boolean} dark
 */
export function weightColour(value, scale, dark) {
  const colours = dark ? RAMPS.dark : RAMPS.light;
  const share = Math.max(-1, Math.min(1, value / scale));
  return colours[STEPS + (Number.isNaN(share) ? 0 : Math.round(share * STEPS))];
}
