// A small run's columns and frames, for the tests of whoever reads them.

/** @import { Column, Run } from "../../frontend/types.js" */

/** Two hidden units; a momentum buffer. @returns {Column[]} */
export function columns() {
  const shapes = [
    ["hidden_linear.weight", [2, 1]],
    ["hidden_linear.bias", [2]],
    ["output_linear.weight", [1, 2]],
    ["output_linear.bias", [1]],
  ];
  /** @type {any[]} */
  const made = ["loss", "validation_loss", "lr"].map((name, offset) => ({
    role: "scalar",
    name,
    shape: [],
    offset,
  }));
  let offset = 3;
  for (const role of ["parameter", "gradient", "state"]) {
    for (const [name, shape] of /** @type {[string, number[]][]} */ (shapes)) {
      made.push({
        role,
        name,
        shape,
        offset,
        ...(role === "state" ? { slot: "momentum_buffer" } : {}),
      });
      offset += shape.reduce((product, n) => product * n, 1);
    }
  }
  return made;
}

export const FLOATS = 3 + 3 * 7;

/** What the server allows in each state that a test needs. @type {Record<string, string[]>} */
const ALLOWED = {
  starting: ["play", "pause", "step", "phase", "tune"],
  paused: ["play", "pause", "step", "phase", "tune"],
  running: ["play", "pause", "tune"],
  interrupted: ["play", "step", "phase", "tune"],
};

/** @param {Partial<Run>} [changes] @returns {any} */
export function run(changes = {}) {
  const optimizer = { kind: "sgd", lr: 0.1, momentum: 0.9 };
  const config = {
    name: "r",
    dataset: "temperature",
    hidden: 2,
    activation: "tanh",
    optimizer,
    zero_grad: true,
    batch_size: null,
    max_steps: 100,
  };
  return {
    id: "a",
    name: "r",
    config,
    state: "paused",
    allowed: ALLOWED[changes.state ?? "paused"] ?? [],
    phase: "step",
    step: 0,
    loss: null,
    lr: 0.1,
    pace: 60,
    reason: null,
    grad_states: ["none", "none", "none", "none"],
    ...changes,
  };
}

/**
 * A frame whose record k holds the loss 100 / (k + 1) and k in every parameter and gradient.
 * @param {{
 *   first?: number,
 *   count?: number,
 *   kind?: number,
 *   skipped?: number,
 *   time?: number,
 *   floats?: number,
 * }} [of]
 */
export function frame({
  first = 0,
  count = 1,
  kind = 1,
  skipped = 0,
  time = 1000 + first,
  floats = FLOATS,
} = {}) {
  const buffer = new ArrayBuffer(32 + count * floats * 4);
  const view = new DataView(buffer);
  view.setUint16(0, 0x474c, true);
  view.setUint8(2, 1);
  view.setUint8(3, kind);
  view.setUint32(4, count, true);
  view.setBigUint64(8, BigInt(first), true);
  view.setUint32(16, 1, true);
  view.setUint32(20, skipped, true);
  view.setFloat64(24, time, true);
  const values = new Float32Array(buffer, 32);
  for (let i = 0; i < count; i++) {
    values.fill(first + i, i * floats, (i + 1) * floats);
    values[i * floats] = 100 / (first + i + 1);
  }
  return buffer;
}
