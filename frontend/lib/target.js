// What the cursor or the keyboard rests on, compared by what it names. Pure.

/** @import { Target } from "../types.js" */

/** @param {Target|null} a @param {Target|null} b */
export function isSame(a, b) {
  if (a === b) return true;
  if (a === null || b === null) return false;
  if (a.kind === "parameter" && b.kind === "parameter")
    return a.parameter === b.parameter && a.index === b.index;
  if (a.kind === "unit" && b.kind === "unit") return a.unit === b.unit;
  return a.kind === b.kind && a.kind !== "parameter" && a.kind !== "unit";
}
