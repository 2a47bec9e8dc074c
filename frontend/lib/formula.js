// The formula of one gradient, as symbols and as a number. Pure. Knows the network with one hidden
// layer and the mean squared error; nothing about the DOM.

import { forward, unit } from "./forward.js";

/** @import { Layout, RunConfig, Target } from "../types.js" */
/** @import { Activation } from "./forward.js" */

/** @typedef {"gradient"|"loss"|"answer"|"data"|"weight"|"sum"} Idea */
/**
 * A symbol, and in `means` what it stands for.
 * @typedef {{text: string, idea: Idea, sub?: string, sup?: string, means?: string}} Symbol
 */

/** Positions in named_parameters(). */
const PLACE = { hiddenWeight: 0, hiddenBias: 1, outputWeight: 2, outputBias: 3 };
const LETTERS = ["w", "b", "v", "c"];

/** @param {string} text @param {Idea} idea @param {Partial<Symbol>} [more] @returns {Symbol} */
const symbol = (text, idea, more = {}) => ({ text, idea, ...more });

/**
 * ∂L/∂(the target) of one parameter's element.
 * @param {Target & {kind: "parameter"}} target
 * @param {RunConfig} config
 * @returns {Symbol[]}
 */
export function gradientFormula({ parameter, index }, { activation }) {
  const sub = parameter === PLACE.outputBias ? undefined : String(index);
  const left = [
    symbol("∂L", "loss"),
    symbol("/", "sum"),
    symbol(`∂${LETTERS[parameter]}`, "gradient", { sub }),
  ];
  const error = [
    symbol(" = ", "sum"),
    symbol("Σ", "sum", { sub: "i", means: "over the points" }),
    symbol(" 2/n ", "sum", { means: "the derivative of the mean of squares" }),
    symbol("(", "sum"),
    symbol("y_pred", "answer", { sub: "i" }),
    symbol(" − ", "sum"),
    symbol("y", "data", { sub: "i" }),
    symbol(")", "sum"),
  ];
  return [...left, ...error, ...chain(parameter, index, activation)];
}

/**
 * The factors behind the error, by the chain rule.
 * @param {number} parameter
 * @param {number} j
 * @param {Activation} activation
 * @returns {Symbol[]}
 */
function chain(parameter, j, activation) {
  const times = symbol(" · ", "sum");
  const h = symbol("h", "answer", { sub: `${j},i`, means: `the output of unit ${j}` });
  const v = symbol("v", "weight", {
    sub: String(j),
    means: `the weight from unit ${j} to the output`,
  });
  const x = symbol("x", "data", { sub: "i" });
  if (parameter === PLACE.outputBias) return [];
  if (parameter === PLACE.outputWeight) return [times, h];
  const slope = slopeOf(h, activation);
  const inner = [times, v, ...(slope.length > 0 ? [times, ...slope] : [])];
  return parameter === PLACE.hiddenWeight ? [...inner, times, x] : inner;
}

/**
 * The activation's derivative, in terms of the unit's output.
 * @param {Symbol} h
 * @param {Activation} activation
 * @returns {Symbol[]}
 */
function slopeOf(h, activation) {
  const one = symbol("(1\u00a0−\u00a0", "sum");
  const end = symbol(")", "sum");
  if (activation === "tanh") return [one, { ...h, sup: "2" }, end];
  if (activation === "sigmoid") return [h, one, h, end];
  if (activation === "relu")
    return [
      symbol("[", "sum"),
      h,
      symbol("\u00a0>\u00a00]", "sum", { means: "1 where the unit is on, else 0" }),
    ];
  return [];
}

/**
 * What a hidden unit computes.
 * @param {number} j
 * @param {RunConfig} config
 * @returns {Symbol[]}
 */
export function unitFormula(j, { activation }) {
  const sub = String(j);
  const inside = [
    symbol("w", "weight", { sub }),
    symbol("·", "sum"),
    symbol("x", "data"),
    symbol(" + ", "sum"),
    symbol("b", "weight", { sub }),
  ];
  const left = [symbol("h", "answer", { sub }), symbol(" = ", "sum")];
  if (activation === "none") return [...left, ...inside]; // nn.Identity
  return [...left, symbol(`${activation}(`, "sum"), ...inside, symbol(")", "sum")];
}

/** What the output computes. @returns {Symbol[]} */
export function outputFormula() {
  return [
    symbol("y_pred", "answer"),
    symbol(" = ", "sum"),
    symbol("Σ", "sum", { sub: "j" }),
    symbol(" ", "sum"),
    symbol("v", "weight", { sub: "j" }),
    symbol(" · ", "sum"),
    symbol("h", "answer", { sub: "j" }),
    symbol(" + ", "sum"),
    symbol("c", "weight"),
  ];
}

/**
 * The same gradient as a number, over all given points.
 * @param {Float32Array} values the parameters that the forward pass saw
 * @param {Layout} layout
 * @param {Activation} activation
 * @param {{x: number[], y: number[]}} points
 * @param {Target & {kind: "parameter"}} target
 */
export function gradientAt(values, layout, activation, points, { parameter, index }) {
  let sum = 0;
  points.x.forEach((x, i) => {
    const error = forward(values, layout, activation, x) - points.y[i];
    sum += (2 / points.x.length) * error * inner(values, layout, activation, x, parameter, index);
  });
  return sum;
}

/**
 * @param {Float32Array} values
 * @param {Layout} layout
 * @param {Activation} activation
 * @param {number} x
 * @param {number} parameter
 * @param {number} j
 */
function inner(values, layout, activation, x, parameter, j) {
  if (parameter === PLACE.outputBias) return 1;
  const h = unit(values, layout, activation, j, x);
  if (parameter === PLACE.outputWeight) return h;
  const v = values[layout.parameters[PLACE.outputWeight].value + j];
  return v * SLOPES[activation](h) * (parameter === PLACE.hiddenWeight ? x : 1);
}

/** @type {Record<Activation, (h: number) => number>} */
const SLOPES = {
  tanh: (h) => 1 - h * h,
  sigmoid: (h) => h * (1 - h),
  relu: (h) => (h > 0 ? 1 : 0),
  none: () => 1,
};

/**
 * How the optimizer changes a parameter p by its gradient g, line by line, as the documentation of
 * torch.optim writes it; no lines for an optimizer whose rule is not here.
 * @param {RunConfig} config
 * @returns {Symbol[][]}
 */
export function updateRule({ optimizer }) {
  const { kind, weight_decay: decay } = optimizer;
  const decayed = decay ? [sign(" + "), sign(String(decay)), dot, p] : [];
  return RULES[kind]?.(optimizer, decayed) ?? [];
}

/** @type {Record<string, (optimizer: any, decayed: Symbol[]) => Symbol[][]>} */
const RULES = {
  sgd: sgdRule,
  adam: adamRule,
  adamw: (optimizer) => [...shrunk(optimizer.weight_decay), ...adamRule(optimizer, [])],
  rmsprop: rmspropRule,
};

const p = symbol("p", "weight");
const dot = symbol("·", "sum");
const lr = symbol("lr", "sum", { means: "the learning rate" });
const sign = (/** @type {string} */ text) => symbol(text, "sum");
const slot = (/** @type {string} */ name) =>
  symbol(name, "gradient", { means: "kept by the optimizer for each element" });
const grad = symbol(".grad", "gradient");

/** @param {number} value */
const times = (value) => sign(`${value}·`);

/** @param {...Symbol} by */
const moved = (...by) => [p, sign(" ← "), p, sign(" − "), lr, dot, ...by];

/** The weight decay that AdamW applies first. @param {number} decay */
function shrunk(decay) {
  return decay ? [moved(sign(String(decay)), dot, p)] : [];
}

/**
 * A running mean: share of its last value, and the rest of something new.
 * @param {Symbol} mean
 * @param {number} share
 * @param {Symbol[]} fresh
 */
const running = (mean, share, fresh) => [
  mean,
  sign(` ← ${share}·`),
  mean,
  sign(` + ${rest(share)}·`),
  ...fresh,
];

/** @param {any} optimizer @param {Symbol[]} decayed @returns {Symbol[][]} */
function sgdRule({ momentum, nesterov, dampening }, decayed) {
  const g = decayed.length > 0 ? bracketed([grad, ...decayed]) : [grad];
  if (!momentum) return [moved(...g)];
  const buffer = slot("momentum_buffer");
  const by = nesterov ? bracketed([...g, sign(` + ${momentum}·`), buffer]) : [buffer];
  const fresh = dampening ? [times(rest(dampening)), ...g] : g;
  const line = [buffer, sign(` ← ${momentum}·`), buffer, sign(" + "), ...fresh];
  const first = [sign("at its first update: "), buffer, sign(" ← "), ...g];
  return [...(dampening ? [first] : []), line, moved(...by)];
}

/** @param {any} optimizer @param {Symbol[]} decayed @returns {Symbol[][]} */
function adamRule({ betas, amsgrad, eps }, decayed) {
  const [first, second] = betas;
  const g = decayed.length > 0 ? bracketed([grad, ...decayed]) : [grad];
  const mean = slot("exp_avg");
  const square = slot("exp_avg_sq");
  const largest = slot("max_exp_avg_sq");
  const most = [[largest, sign(" ← max("), largest, sign(", "), square, sign(")")]];
  const under = amsgrad ? largest : square;
  return [
    running(mean, first, g),
    running(square, second, [...g, sign("²")]),
    ...(amsgrad ? most : []),
    moved(
      ...[mean, sign(" ÷ "), ...unbiased(first), sign(" ÷ (√("), under, sign(" ÷ ")],
      ...[...unbiased(second), sign(")"), ...added(eps), sign(")")],
    ),
  ];
}

/** A running mean begins at 0; divided by this it does not lag. @param {number} share */
const unbiased = (share) => [
  sign(`(1 − ${share}^`),
  symbol("step", "gradient", { means: "how many updates this optimizer has made" }),
  sign(")"),
];

/** @param {number} eps */
const added = (eps) =>
  eps ? [symbol(` + ${eps}`, "sum", { means: "eps, so that it is never zero" })] : [];

/** @param {any} optimizer @param {Symbol[]} decayed @returns {Symbol[][]} */
function rmspropRule({ alpha, momentum, centered, eps }, decayed) {
  const g = decayed.length > 0 ? bracketed([grad, ...decayed]) : [grad];
  const square = slot("square_avg");
  const average = slot("grad_avg");
  const deviation = centered ? [sign(" − "), average, sign("²")] : [];
  const size = [sign(" ÷ (√("), square, ...deviation, sign(")"), ...added(eps), sign(")")];
  const first = [running(square, alpha, [...g, sign("²")])];
  if (centered) first.push(running(average, alpha, g));
  if (!momentum) return [...first, moved(...g, ...size)];
  const buffer = slot("momentum_buffer");
  const line = [buffer, sign(` ← ${momentum}·`), buffer, sign(" + "), ...g, ...size];
  return [...first, line, moved(buffer)];
}

/** @param {Symbol[]} symbols */
const bracketed = (symbols) => [sign("("), ...symbols, sign(")")];

/** What is left of 1, without the digits that float64 adds. @param {number} share */
const rest = (share) => Number((1 - share).toPrecision(12));
