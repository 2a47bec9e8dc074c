// Runs as a tree of which continues which, and the text that says where two of them differ. Pure.

import { format, stepText } from "../lib/format.js";
import { numberOf } from "../lib/number.js";
/** @import { Divergence, Run } from "../types.js" */

/** @typedef {{run: Run, depth: number}} Place */

/**
 * Parents before their children, in the order given. A run whose parent was deleted has no parent.
 * @param {Run[]} runs
 * @returns {Place[]}
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
export function divergenceText(one, other, divergence) {
  const { comparable, first, last, step, parameter, difference } = divergence;
  const both = `“${one}” and “${other}”`;
  if (first === null || last === null) return `${both} have no step in common.`;
  if (!comparable)
    return `${both} have parameters of different shapes: their numbers cannot be compared.`;
  const same = `${both} are the same, bit for bit,`;
  const [begin, end] = [stepText(first), stepText(last)];
  if (step === null && first === last)
    return `${same} at step ${begin}, the only one that both have.`;
  if (step === null) return `${same} from step ${begin} to step ${end}.`;
  const most = `${parameter} differs most, by ${format(numberOf(difference))}`;
  if (step === first) return `${both} differ at step ${begin}, the first that both have: ${most}.`;
  const [before, at] = [stepText(step - 1), stepText(step)];
  return `${same} up to step ${before}. At step ${at} they differ: ${most}.`;
}

/** The same in a few words, for the key of a chart. @param {Divergence} divergence */
export function divergenceNote({ comparable, first, last, step, difference }) {
  if (first === null || last === null) return "no step in common";
  if (!comparable) return "different shapes";
  if (step === null) return "the same, bit for bit";
  return `differs at step ${stepText(step)} by ${format(numberOf(difference), 3)}`;
}
