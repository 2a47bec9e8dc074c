// Round numbers for a logarithmic axis. Pure.

const DENSE = [1, 2, 5]; // in each decade, when the axis has few decades

/** @param {number} low @param {number} high @returns {number[]} */
export function logTicks(low, high) {
  if (!(low > 0) || !(high > low) || !Number.isFinite(high)) return [];
  const decades = Math.log10(high / low);
  const digits = decades < 2.2 ? DENSE : [1];
  const every = Math.max(1, Math.round(decades / 5));
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    if (power % every !== 0) continue;
    for (const digit of digits) found.push(Number(`${digit}e${power}`));
  }
  const inside = found.filter((value) => value >= low && value <= high);
  return inside.length > 1
    ? inside
    : [low, Math.sqrt(low * high), high].map((value) => Number(value.toPrecision(2)));
}
