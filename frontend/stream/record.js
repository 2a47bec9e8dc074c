// What one record says beside its parameters: scalars, and which gradients there are. Pure.

/** @import { GradState, Layout } from "../types.js" */

/** The NaN that fills the column of a .grad that is None; arithmetic does not make it. */
const NO_GRADIENT_BITS = 0x7fc06e6f;

/**
 * Loss, validation loss and learning rate of a step. Step 0 has no loss.
 * @param {Layout} layout
 * @param {Float32Array} values
 * @param {number} step
 * @param {number} lr the learning rate where the record has none
 */
export function scalarsOf(layout, values, step, lr) {
  const scalar = (/** @type {string} */ name) => values[layout.scalars.get(name) ?? -1] ?? null;
  return {
    loss: step === 0 ? null : scalar("loss"),
    validation_loss: step === 0 ? null : scalar("validation_loss"),
    lr: scalar("lr") ?? lr,
  };
}

/**
 * The state of each .grad in a record, which ends an iteration: none or fresh, never stale.
 * Records that were logged before NO_GRADIENT_BITS existed have another NaN; only their step 0,
 * before the first backward(), has a .grad that is None.
 * @param {Layout} layout
 * @param {Float32Array} values
 * @param {number} step
 */
export function gradStatesIn(layout, values, step) {
  const bits = new Uint32Array(values.buffer, values.byteOffset, layout.floats);
  return layout.parameters.map(({ gradient }) => {
    const isNone = step === 0 || bits[gradient] === NO_GRADIENT_BITS;
    return /** @type {GradState} */ (isNone ? "none" : "fresh");
  });
}
