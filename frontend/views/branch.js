// The "Continue from here" form: a new run, filled in with the one that it continues. Only what was
// changed is sent. Knows nothing about how the run is created.

import { stepText } from "../lib/format.js";
import { fieldsOf } from "../lib/schema.js";
import { plain } from "../texts.js";
import { openForm } from "./form.js";

/** @import { Api } from "../api.js" */
/** @import { Field } from "../lib/schema.js" */
/** @import { Problem, Run, RunConfig, State } from "../types.js" */

/** They decide which parameters there are, so they cannot change. */
const KEPT = ["hidden", "named_layers"];

/**
 * @typedef {Object} BranchOptions
 * @property {Pick<Api, "schema"|"datasets">} api
 * @property {Branch} branch
 */

/**
 * Create the run; null: it was created.
 * @typedef {(
 *   id: string,
 *   step: number,
 *   changes: Record<string, any>,
 * ) => Promise<Problem|null>} Branch
 */

/** @param {State} state as the cards show it @param {BranchOptions} options */
export async function openBranch({ run, settled }, { api, branch }) {
  if (run === null) return;
  const [schema, datasets] = await Promise.all([api.schema(), api.datasets()]);
  const step = settled?.step ?? run.step;
  const fields = fieldsOf(schema, "RunConfig").filter(({ name }) => !KEPT.includes(name));
  const start = startOf(run, step);
  openForm({
    title: `Continue from step ${stepText(step)}`,
    about: aboutText(run.name),
    submit: "Continue",
    fields,
    datasets,
    start,
    create: (config) => branch(run.id, step, changesOf(config, start, fields)),
  });
}

/** @param {string} name */
const aboutText = (name) =>
  [
    "The new run starts with exactly these parameters, this optimizer state and this position",
    `in the order of the data. If you change nothing, it repeats “${name}” bit for bit, up to the`,
    `step at which the learning rate of “${name}” was next tuned. “${name}” stays as it is.`,
  ].join(" ");

/**
 * What the new run has where nothing is changed.
 * @param {Run} run as it was at the step
 * @param {number} step
 * @returns {Record<string, any>}
 */
export function startOf({ config, lr, pace }, step) {
  if (config === null) return {}; // such a run has no steps to continue
  const steps = step < config.max_steps ? config.max_steps : Math.min(2 * step, 10_000_000);
  const optimizer = { ...config.optimizer, lr: Number(plain(lr)) };
  return {
    ...config,
    name: `${config.name} from ${step}`.slice(0, 80),
    pace,
    max_steps: steps,
    optimizer,
  };
}

/**
 * @param {Record<string, any>} config
 * @param {Record<string, any>} start
 * @param {Field[]} fields
 */
export function changesOf(config, start, fields) {
  const differs = (/** @type {any} */ a, /** @type {any} */ b) =>
    JSON.stringify(a ?? null) !== JSON.stringify(b ?? null);
  const changes = fields
    .map(({ name }) => name)
    .filter((name) => name !== "optimizer" && differs(config[name], start[name]));
  const changed = Object.fromEntries(changes.map((name) => [name, config[name]]));
  if (config.optimizer === undefined) return changed;
  if (config.optimizer.kind !== start.optimizer.kind)
    return { ...changed, optimizer: config.optimizer };
  const parts = Object.entries(config.optimizer).filter(([name, value]) =>
    differs(value, start.optimizer[name]),
  );
  return parts.length === 0 ? changed : { ...changed, optimizer: Object.fromEntries(parts) };
}
