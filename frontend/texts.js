// The sentences on the page: about a run, its phases, and why a change went against its gradient.
// Pure: knows nothing about the DOM. `Code` stands in backticks.

import { format } from "./lib/format.js";
import { numberOf } from "./lib/number.js";
/** @import { GradState, Phase, Run, RunConfig, Scalar, State } from "./types.js" */

/** @typedef {"good"|"wait"|"bad"|"calm"} Mood */

/** In the order in which they run. @type {Phase[]} */
export const PHASES = ["zero_grad", "forward", "loss", "backward", "step"];

/** The names of optimizers in torch.optim. @type {Record<string, string>} */
const OPTIMIZERS = { sgd: "SGD", adam: "Adam", adamw: "AdamW", rmsprop: "RMSprop" };

/** @param {string} kind an optimizer's, as the run's configuration has it */
export function optimizerName(kind) {
  return OPTIMIZERS[kind] ?? kind;
}

/** @param {RunConfig|null} config @param {number} lr */
export function configText(config, lr) {
  if (config === null) return "its configuration cannot be read";
  const activation = config.activation === "none" ? "linear" : config.activation;
  const momentum = config.optimizer.momentum ? `, momentum ${config.optimizer.momentum}` : "";
  const batch = config.batch_size === null ? "full batch" : `batches of ${config.batch_size}`;
  const clears = config.zero_grad === false ? ["no zero_grad"] : [];
  const optimizer = `${optimizerName(config.optimizer.kind)}, lr ${plain(lr)}${momentum}`;
  const layers = `1–${config.hidden}–1 ${activation}`;
  return [config.dataset, layers, optimizer, batch, ...clears].join(" · ");
}

/** A float32 as a person would type it. @param {number} value */
export function plain(value) {
  return String(Number(value.toPrecision(6)));
}

/** @param {number|null} pace */
export function paceText(pace) {
  return pace === null ? "as fast as possible" : `${plain(pace)} a second`;
}

/** @param {State} state @returns {{text: string, mood: Mood}} */
export function stateText({ run, connection, diverged, missing, loaded, opened }) {
  if (connection === "signed-out") return { text: "signed out", mood: "bad" };
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
  if (run === null || moment === null)
    return "This is the training loop. It runs in a process of its own.";
  if (run.state === "running") return runningSentence(run);
  if (moment.step === 0 && moment.phase === "step")
    return "Nothing has run yet. Every `.grad` is None until the first `backward()`.";
  if (run.config === null) return "";
  const { step, loss, config } = run;
  return PHASE_SENTENCES[moment.phase]({ step, loss, config }, moment.gradStates[0] ?? "none");
}

/** @param {Run} run */
function runningSentence({ pace }) {
  const rate = pace === null ? "as fast as possible" : `at most ${plain(pace)} times a second`;
  const hint = "Pause, then press Phase to run them one by one.";
  return `The five phases run over and over, ${rate}. ${hint}`;
}

/** @typedef {{step: number, loss: Scalar, config: RunConfig}} Facts */

/** @type {Record<Phase, (run: Facts, gradState: GradState) => string>} */
const PHASE_SENTENCES = {
  zero_grad({ config }, gradState) {
    if (config.zero_grad !== false)
      return "Every `.grad` is None again: the last gradients are gone. No parameter has changed.";
    return gradState === "none"
      ? "This run does not call `zero_grad()`. Every `.grad` is still None."
      : "This run does not call `zero_grad()`: the next `backward()` adds to the old `.grad`.";
  },
  forward(_, gradState) {
    const grad = gradState === "none" ? "`.grad` is None: there is no gradient yet." : STALE;
    return `The model has computed its predictions. PyTorch recorded every operation. ${grad}`;
  },
  loss({ loss }, gradState) {
    const grad = gradState === "none" ? "" : ` ${STALE}`;
    const value = format(numberOf(loss));
    return `The loss is the mean of the squared errors of the predictions: ${value}.${grad}`;
  },
  backward({ config }) {
    const sum = config.zero_grad === false ? " It was added to what was there before." : "";
    const what = "Every `.grad` now says how the loss changes when that number grows.";
    return `${what}${sum} No parameter has changed yet.`;
  },
  step({ step, config }) {
    const grad = "`.grad` still holds the gradients from before the update.";
    return `Update ${step} is done: ${updateText(config)} ${grad}`;
  },
};

const STALE = "`.grad` is stale: left over from an earlier iteration.";

/** How the optimizer changed each parameter. @param {RunConfig} config */
function updateText(config) {
  const { kind, momentum, weight_decay: decay } = config.optimizer;
  const decayed = decay ? ", and decayed it towards zero" : "";
  if (kind === "sgd") {
    const by = momentum ? "along the running sum of its gradients" : "by −lr × `.grad`";
    return `SGD moved every parameter ${by}${decayed}.`;
  }
  if (kind === "rmsprop") {
    const by = momentum ? ", through momentum" : "";
    return `RMSprop moved every parameter by −lr × \`.grad\` ÷ its usual size${by}${decayed}.`;
  }
  const by = "along the running mean of its gradients, ÷ their usual size";
  return `${optimizerName(config.optimizer.kind)} moved every parameter ${by}${decayed}.`;
}

/**
 * Why the change went the way of the gradient instead of against it; "" when it did not.
 * @param {RunConfig} config
 * @param {number} gradient
 * @param {number} change
 */
export function disagreement(config, gradient, change) {
  const isUphill =
    gradient * change > 0 || (Math.sign(gradient) === Math.sign(change) && change !== 0);
  if (!isUphill) return "";
  return `Δ does not go against .grad here: ${reasonOf(config)}`;
}

/** @param {RunConfig} config */
function reasonOf(config) {
  const { kind, momentum, weight_decay: decay, nesterov } = config.optimizer;
  const decayed = decay ? ", or weight decay pulls harder" : "";
  const opposite = `still points the other way${nesterov ? ", even with Nesterov momentum" : ""}`;
  if (kind === "adam" || kind === "adamw") {
    const mean = `exp_avg, the running mean that ${optimizerName(config.optimizer.kind)} follows,`;
    return `${mean} ${opposite}${decayed}.`;
  }
  if (momentum) return `momentum_buffer ${opposite}${decayed}.`;
  if (decay) return "weight decay pulls towards zero harder than the gradient pushes.";
  return "the optimizer uses more than this one gradient.";
}

/**
 * What happened and what to do about it; shown above the network.
 * @param {State} state
 * @returns {Notice|null}
 */
export function noticeOf(state) {
  const { run, connection, missing, loaded, runs, opened } = state;
  if (connection === "signed-out") {
    return {
      mood: "bad",
      title: "You need to sign in again",
      text:
        "The server was restarted with another token. Open the link that livegrad printed when " +
        "it was started, or sign in with the token.",
      act: "signIn",
    };
  }
  if (missing !== null) {
    return {
      mood: "wait",
      title: "This run does not exist",
      text: "It was deleted, or the link is for another server.",
      act: "runs",
    };
  }
  if (connection === "lost") {
    return {
      mood: "bad",
      title: "Connection lost",
      text: "This page reconnects by itself, and fetches every step that it missed.",
      act: null,
    };
  }
  if (loaded && runs.length === 0 && opened === undefined) {
    return {
      mood: "calm",
      title: "No runs yet",
      text: "Create one: a small network, a few points, and every number on the screen.",
      act: "newRun",
    };
  }
  if (run === null)
    return {
      mood: "wait",
      title: "Connecting",
      text: "Waiting for the server and the newest run.",
      act: null,
    };
  return runNotice(state, run);
}

/** @param {string} trouble @returns {Notice} */
const logNotice = (trouble) => ({
  mood: "bad",
  title: "The run log cannot be written",
  text: sentence(trouble),
  act: null,
});

/**
 * @typedef {Object} Notice
 * @property {Mood} mood
 * @property {string} title
 * @property {string} text
 * @property {"runs"|"newRun"|"again"|"gentler"|"play"|"dismiss"|"signIn"|null} act
 * @property {string} [label] the text of its button
 */

/** @param {State} state @param {Run} run @returns {Notice|null} */
function runNotice(state, run) {
  if (run.state === "failed") return failedNotice(run);
  if (state.news.log !== null) return logNotice(state.news.log);
  if (state.diverged) return divergedNotice(run);
  if (run.state === "starting") return startingNotice(state);
  if (run.state === "interrupted") {
    const reason = run.reason ?? "its training process is gone";
    return {
      mood: "calm",
      title: `Interrupted after step ${run.step}`,
      text: `${sentence(reason)} Every step so far is kept. Press Train to continue.`,
      act: "play",
    };
  }
  if (run.state === "finished") {
    return {
      mood: "good",
      title: `Finished: ${run.step} steps`,
      text: `The loss is ${format(numberOf(run.loss))}. You can still look at every step.`,
      act: "again",
    };
  }
  if (state.news.restarted !== null) {
    return {
      mood: "calm",
      title: "The trainer was restarted",
      text: sentence(state.news.restarted),
      act: "dismiss",
    };
  }
  if (run.state === "paused" && run.step === 0 && run.phase === "step") {
    return {
      mood: "calm",
      title: "A real PyTorch network, before its first step",
      text: "Press Train to watch it learn. Each line is a weight; each arrow is a gradient.",
      act: "play",
    };
  }
  return null;
}

/** @param {Run} run @returns {Notice} */
function failedNotice({ config, reason }) {
  if (config === null) {
    return {
      mood: "bad",
      title: "This run cannot be read",
      text: reason ?? "The run log is damaged.",
      act: "runs",
    };
  }
  const text = reason ?? "Its process gave no reason.";
  return { mood: "bad", title: "The run failed", text, act: "again" };
}

/** A learning rate to try after the run diverged. @param {Run} run */
export function gentlerRate(run) {
  return Number((run.lr / 10).toPrecision(3));
}

/** @param {Run} run @returns {Notice} */
function divergedNotice(run) {
  const value = format(numberOf(run.loss));
  return {
    mood: "bad",
    title: `Diverged: the loss is ${value}`,
    text:
      "Each step was too long and made the loss larger, until float32 overflowed. " +
      "A smaller lr makes shorter steps.",
    act: "gentler",
    label: `Start again, lr ${plain(gentlerRate(run))}`,
  };
}

/** @param {State} state @returns {Notice} */
function startingNotice({ torch }) {
  const isLoading = torch === "loading";
  const text = isLoading
    ? "PyTorch is being imported in a process of its own. This takes a few seconds, once."
    : "A process of its own is being started for this run.";
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
