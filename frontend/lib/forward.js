// Computes the network's output from the numbers of one record. Knows nothing about training or
// drawing.
//
// Parameters are taken by their position in named_parameters(), so that named and numbered layers
// are read alike: 0 hidden weight (hidden, 1), 1 hidden bias (hidden), 2 output weight (1, hidden),
// 3 output bias (1).

/** @import { Layout } from "../types.js" */
/** @typedef {"tanh"|"sigmoid"|"relu"|"none"} Activation */
/** @typedef {Float32Array|Float64Array|number[]} Numbers */

/** @type {Record<Activation, (z: number) => number>} */
const ACTIVATIONS = {
  tanh: Math.tanh,
  sigmoid: (z) => 1 / (1 + Math.exp(-z)),
  // biome-ignore lint/complexity/useMathMinMax: a NaN must stay one, as it does in PyTorch
  relu: (z) => (z < 0 ? 0 : z),
  none: (z) => z,
};

/**
 * The network's output for one input.
 * @param {Float32Array} values one record
 * @param {Layout} layout
 * @param {Activation} activation
 * @param {number} x
 */
export function forward(values, layout, activation, x) {
  const [weight, bias, out, outBias] = layout.parameters;
  const phi = ACTIVATIONS[activation];
  let sum = values[outBias.value];
  for (let j = 0; j < out.size; j++) {
    sum += values[out.value + j] * phi(values[weight.value + j] * x + values[bias.value + j]);
  }
  return sum;
}

/**
 * The output at every x, written to `out`, which is also returned.
 * @template {Numbers} T
 * @param {Float32Array} values
 * @param {Layout} layout
 * @param {Activation} activation
 * @param {Numbers} xs
 * @param {T} out
 */
export function curve(values, layout, activation, xs, out) {
  for (let i = 0; i < xs.length; i++) out[i] = forward(values, layout, activation, xs[i]);
  return out;
}

/**
 * What hidden unit `j` gives for one input: φ(w·x + b).
 * @param {Float32Array} values
 * @param {Layout} layout
 * @param {Activation} activation
 * @param {number} j
 * @param {number} x
 */
export function unit(values, layout, activation, j, x) {
  const [weight, bias] = layout.parameters;
  return ACTIVATIONS[activation](values[weight.value + j] * x + values[bias.value + j]);
}
