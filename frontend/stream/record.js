// What one record says beside its parameters: scalars, and which gradients there are. Pure.

/** @import { GradState, Layout } from "../types.js" */

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
 * After a whole iteration every .grad is fresh; before the first one there are none.
 * @param {Layout} layout
 * @param {number} step
 */
export function gradStatesAfter(layout, step) {
  return layout.parameters.map(() => /** @type {GradState} */ (step === 0 ? "none" : "fresh"));
}
