// What the page says, in sentences: about a run, its phases, a disagreement of gradient and change.
// Pure: knows nothing about elements. `code` in backticks.

import { format } from "./lib/format.js";
import { numberOf } from "./lib/number.js";
/** @import { Run, RunConfig, State } from "./types.js" */

export const PHASES = /** @type {const} */ (["zero_grad", "forward", "loss", "backward", "step"]);

const OPTIMIZERS = { sgd: "SGD", adam: "Adam", adamw: "AdamW", rmsprop: "RMSprop" };

/** @param {RunConfig} config */
export function optimizerName({ optimizer }) {
  return OPTIMIZERS[optimizer.kind] ?? optimizer.kind;
}

/** @param {RunConfig} config @param {number} lr */
export function configText(config, lr) {
  const layers = `1–${config.hidden}–1 ${config.activation === "none" ? "linear" : config.activation}`;
  const momentum = config.optimizer.momentum ? `, momentum ${config.optimizer.momentum}` : "";
  const batch = config.batch_size === null ? "full batch" : `batches of ${config.batch_size}`;
  const clears = config.zero_grad === false ? ["no zero_grad"] : [];
  const optimizer = `${optimizerName(config)}, lr ${plain(lr)}${momentum}`;
  return [config.dataset, layers, optimizer, batch, ...clears].join(" · ");
}

/** A float32 as a person would have typed it. @param {number} value */
export function plain(value) {
  return String(Number(value.toPrecision(6)));
}

/** @param {State} state @returns {{text: string, mood: "good"|"wait"|"bad"|"calm"}} */
export function stateText({ run, connection, diverged, missing, loaded, opened }) {
  if (missing !== null || (loaded && opened === undefined)) return { text: "no run", mood: "wait" };
  if (connection === "lost") return { text: "connection lost", mood: "bad" };
  if (run === null) return { text: "connecting", mood: "wait" };
  const isHalfDone = run.phase !== "step";
  if (run.state === "failed") return { text: "failed", mood: "bad" };
  if (run.state === "starting") return { text: "starting", mood: "wait" };
  if (diverged) return { text: `${run.state}, diverged`, mood: "bad" };
  if (run.state === "running") return { text: "training", mood: "good" };
  if (run.state === "paused")
    return { text: isHalfDone ? `paused in step ${run.step + 1}` : "paused", mood: "wait" };
  return { text: run.state, mood: "calm" };
}

/** What the line that has just run did. @param {State} state */
export function phaseSentence({ run, moment }) {
  if (run === null || moment === null) return "The training loop, as it runs in its own process.";
  if (run.state === "running") return runningSentence(run);
  if (moment.step === 0 && moment.phase === "step") {
    return "Nothing has run yet. Every `.grad` is None: PyTorch makes it at the first `backward()`.";
  }
  return PHASE_SENTENCES[moment.phase](run, moment.gradStates[0] ?? "none");
}

/** @param {Run} run */
function runningSentence(run) {
  const pace =
    run.pace === null ? "as fast as it goes" : `at most ${plain(run.pace)} times a second`;
  return `All five, over and over, ${pace}. Pause, then press Phase to walk through them one by one.`;
}

/** @type {Record<typeof PHASES[number], (run: Run, gradState: string) => string>} */
const PHASE_SENTENCES = {
  zero_grad: ({ config }, gradState) => {
    if (config.zero_grad === false) {
      return gradState === "none"
        ? "This run leaves out `zero_grad()`. Every `.grad` is None still."
        : "This run leaves out `zero_grad()`: the old `.grad` stays, and the next `backward()` adds to it.";
    }
    return "Every `.grad` is None again: the last gradients are gone. No parameter has changed.";
  },
  forward: (_, gradState) => {
    const grad =
      gradState === "none"
        ? "`.grad` is None: nothing is known yet about downhill."
        : STALE_SENTENCE;
    return `The model has answered with its parameters as they are; PyTorch noted each operation. ${grad}`;
  },
  loss: ({ loss }, gradState) => {
    const grad = gradState === "none" ? "" : ` ${STALE_SENTENCE}`;
    return `One number for how wrong the answers are: the mean of their squared errors, ${format(numberOf(loss))}.${grad}`;
  },
  backward: ({ config }) => {
    const sum = config.zero_grad === false ? " Added to what was there before." : "";
    return `Every \`.grad\` is now filled: how the loss would change if that number grew.${sum} No parameter has moved yet.`;
  },
  step: (run) =>
    `Update ${run.step} is done: ${updateText(run.config)} \`.grad\` is still there, from before the move.`,
};

const STALE_SENTENCE = "`.grad` is stale: left over from an earlier iteration.";

/** How the optimizer moved each parameter. @param {RunConfig} config */
function updateText(config) {
  const { kind, momentum, weight_decay: decay } = config.optimizer;
  const pulled = decay ? " and pulled it towards zero" : "";
  if (kind === "sgd") {
    const how = momentum ? "along the running sum of its gradients" : "by −lr × `.grad`";
    return `SGD moved every parameter ${how}${pulled}.`;
  }
  if (kind === "rmsprop") {
    const how = momentum ? ", through momentum" : "";
    return `RMSprop moved every parameter by −lr × \`.grad\` ÷ its usual size${how}${pulled}.`;
  }
  return `${optimizerName(config)} moved every parameter along the running mean of its gradients, ÷ their usual size${pulled}.`;
}

/**
 * Why the change went with the gradient, not against it; "" when it did not.
 * @param {RunConfig} config
 * @param {number} gradient
 * @param {number} change
 */
export function disagreement(config, gradient, change) {
  const isUphill =
    gradient * change > 0 || (Math.sign(gradient) === Math.sign(change) && change !== 0);
  if (!isUphill) return "";
  return `Δ goes with .grad here, not against it: ${reasonOf(config)}`;
}

/** @param {RunConfig} config */
function reasonOf(config) {
  const { kind, momentum, weight_decay: decay, nesterov } = config.optimizer;
  if (kind === "adam" || kind === "adamw") {
    const decayed = decay ? ", or weight decay pulls harder" : "";
    return `exp_avg, the running mean that ${optimizerName(config)} follows, still points the other way${decayed}.`;
  }
  if (momentum) {
    const decayed = decay ? ", or weight decay pulls harder" : "";
    return `momentum_buffer still points the other way${nesterov ? ", even after Nesterov's look ahead" : ""}${decayed}.`;
  }
  if (decay) return "weight decay pulls towards zero harder than the gradient pushes.";
  return "the optimizer weighs more than this one gradient.";
}

/** What happened and what to do, above the network. @param {State} state @returns {Notice|null} */
export function noticeOf(state) {
  const { run, connection, missing, loaded, runs, opened } = state;
  if (missing !== null) {
    return {
      mood: "wait",
      title: "This run is not here",
      text: "It was deleted, or the link is from another server.",
      act: "runs",
    };
  }
  if (connection === "lost") {
    return {
      mood: "bad",
      title: "Connection lost",
      text: "This page tries again by itself, and fetches every step that it missed.",
      act: null,
    };
  }
  if (loaded && runs.length === 0 && opened === undefined) {
    return {
      mood: "calm",
      title: "No runs yet",
      text: "Make one: a small network, a few points, and every number in view.",
      act: "newRun",
    };
  }
  if (run === null)
    return {
      mood: "wait",
      title: "Connecting",
      text: "Looking for the server and the newest run.",
      act: null,
    };
  return runNotice(state, run);
}

/** @param {string} trouble @returns {Notice} */
const logNotice = (trouble) => ({
  mood: "bad",
  title: "Nothing can be recorded now",
  text: sentence(trouble),
  act: null,
});

/**
 * @typedef {{mood: "good"|"wait"|"bad"|"calm", title: string, text: string, act: "runs"|"newRun"|"again"|"gentler"|"play"|"dismiss"|null, label?: string}} Notice
 */

/** @param {State} state @param {Run} run @returns {Notice|null} */
function runNotice(state, run) {
  if (run.state === "failed")
    return {
      mood: "bad",
      title: "The run failed",
      text: run.reason ?? "Its process gave no reason.",
      act: "again",
    };
  if (state.news.log !== null) return logNotice(state.news.log);
  if (state.diverged) return divergedNotice(run);
  if (run.state === "starting") return startingNotice(state);
  if (run.state === "interrupted") {
    const reason = run.reason ?? "its training process is gone";
    return {
      mood: "calm",
      title: `Interrupted after step ${run.step}`,
      text: `${sentence(reason)} Every step so far is kept; Train goes on from there.`,
      act: "play",
    };
  }
  if (run.state === "finished") {
    return {
      mood: "good",
      title: `Finished: ${run.step} steps`,
      text: `Loss ${format(numberOf(run.loss))}. Everything can still be looked at.`,
      act: "again",
    };
  }
  if (state.news.restarted !== null) {
    return {
      mood: "calm",
      title: "Started again",
      text: sentence(state.news.restarted),
      act: "dismiss",
    };
  }
  if (run.state === "paused" && run.step === 0 && run.phase === "step") {
    return {
      mood: "calm",
      title: "A real PyTorch network, before its first step",
      text: "Press Train and watch it learn; every line is a weight, every arrow a gradient.",
      act: "play",
    };
  }
  return null;
}

/** A rate to try after the run diverged. @param {Run} run */
export function gentlerRate(run) {
  return Number((run.lr / 10).toPrecision(3));
}

/** @param {Run} run @returns {Notice} */
function divergedNotice(run) {
  const value = format(numberOf(run.loss));
  return {
    mood: "bad",
    title: `Diverged: the loss is ${value}`,
    text: "Each step overshot the valley and landed higher on the other side, until float32 ran out. A lower lr takes shorter steps.",
    act: "gentler",
    label: `Start again, lr ${plain(gentlerRate(run))}`,
  };
}

/** @param {State} state @returns {Notice} */
function startingNotice({ torch }) {
  const isLoading = torch === "loading";
  const text = isLoading
    ? "PyTorch is being imported in a process of its own; that takes a few seconds, once."
    : "A process of its own is being made for this run.";
  return {
    mood: "wait",
    title: isLoading ? "Starting PyTorch" : "Starting the trainer",
    text,
    act: null,
  };
}

/** @param {string} text */
function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
