// Runs as a tree of what continues what, and in words where two of them part. Pure.

import { format, stepText } from "../lib/format.js";
import { numberOf } from "../lib/number.js";
/** @import { Divergence, Run } from "../types.js" */

/** @typedef {{run: Run, depth: number}} Place */

/**
 * Parents before their children, in the order given; a run whose parent is gone stands for itself.
 * @param {Run[]} runs @returns {Place[]}
 */
export function treeOf(runs) {
  const known = new Set(runs.map(({ id }) => id));
  /** @type {Map<string|null, Run[]>} */
  const children = new Map();
  for (const run of runs) {
    const above = run.parent && known.has(run.parent.run) ? run.parent.run : null;
    children.set(above, [...(children.get(above) ?? []), run]);
  }
  /** @param {string|null} above @param {number} depth @returns {Place[]} */
  const under = (above, depth) =>
    (children.get(above) ?? []).flatMap((run) => [{ run, depth }, ...under(run.id, depth + 1)]);
  return under(null, 0);
}

/** @param {string} one @param {string} other @param {Divergence} divergence @returns {string} */
export function divergenceText(
  one,
  other,
  { comparable, first, last, step, parameter, difference },
) {
  const both = `“${one}” and “${other}”`;
  if (first === null || last === null) return `${both} have no step in common.`;
  if (!comparable)
    return `${both} have parameters of different shapes: their numbers cannot be compared.`;
  if (step === null && first === last)
    return `${both} are the same, bit for bit, at step ${stepText(first)}, the only one that both have.`;
  if (step === null)
    return `${both} are the same, bit for bit, from step ${stepText(first)} to ${stepText(last)}.`;
  const same =
    step > first ? `are the same, bit for bit, to step ${stepText(step - 1)}, and part` : "part";
  const where =
    step > first
      ? `at step ${stepText(step)}`
      : `at step ${stepText(step)}, the first that both have`;
  return `${both} ${same} ${where}: ${parameter} differs most, by ${format(numberOf(difference))}.`;
}

/** The same in few words, for a key. @param {Divergence} divergence */
export function divergenceNote({ comparable, first, last, step, difference }) {
  if (first === null || last === null) return "no step in common";
  if (!comparable) return "other shapes";
  if (step === null) return "the same, bit for bit";
  return `parts at ${stepText(step)} by ${format(numberOf(difference), 3)}`;
}
