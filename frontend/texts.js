// The sentences on the page: about a run, its phases, and why a change went against its gradient.
// Pure: knows nothing about the DOM. `Code` stands in backticks.

import { format, stepText } from "./lib/format.js";
import { numberOf } from "./lib/number.js";
/**
 * @import { GradState, Layout, Moment, Nonfinite, Phase, Run, RunConfig } from "./types.js"
 * @import { Scalar, State } from "./types.js"
 */

/** @typedef {"good"|"wait"|"bad"|"calm"} Mood */

/** In the order in which they run. @type {Phase[]} */
export const PHASES = ["zero_grad", "forward", "loss", "backward", "step"];

/**
 * The phases that a run goes through: without zero_grad() there are four.
 * @param {RunConfig|null|undefined} config
 */
export const phasesOf = (config) => (config?.zero_grad === false ? FOUR : PHASES);
const FOUR = PHASES.filter((phase) => phase !== "zero_grad");

/**
 * What a step's loss belongs to: update k follows the loss of step k.
 * @param {number} step
 */
export const lossOfStep = (step) =>
  `The loss of step ${stepText(step)} was computed before update ${stepText(step)}. ` +
  "The parameters and the fit are shown as they are after it.";

/** Why one of the phases is struck out. */
export const SKIPPED = "This run does not call zero_grad(): gradients add up.";

/** The names of optimizers in torch.optim. @type {Record<string, string>} */
const OPTIMIZERS = { sgd: "SGD", adam: "Adam", adamw: "AdamW", rmsprop: "RMSprop" };

/** @param {string} kind an optimizer's, as the run's configuration has it */
export function optimizerName(kind) {
  return OPTIMIZERS[kind] ?? kind;
}

/**
 * nn.Identity is the module that stands where there is no activation.
 * @param {RunConfig["activation"]} activation
 */
export const activationName = (activation) => (activation === "none" ? "Identity" : activation);

/** @param {RunConfig|null} config @param {number} lr */
export function configText(config, lr) {
  if (config === null) return "its configuration cannot be read";
  const activation = activationName(config.activation);
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
export function phaseSentence({ run, moment, layout, runs }) {
  if (run === null || moment === null)
    return "This is the training loop. It runs in a process of its own.";
  if (run.state === "running") return runningSentence(run);
  if (isBegin(run, moment)) return beginSentence(run, runs);
  if (run.config === null) return "";
  const { step, loss, config } = run;
  const facts = { step, loss, config, moved: movedIn(moment, layout) };
  return PHASE_SENTENCES[moment.phase](facts, moment.gradStates[0] ?? "none");
}

/**
 * Whether none of the run's own lines has run: its first record is its initial state, or that of
 * the run that it continues.
 * @param {Run|null} run
 * @param {Moment} moment
 */
export const isBegin = (run, { step, phase }) =>
  phase === "step" && step === (run?.first_step ?? 0);

/** @param {Run} run @param {Run[]} runs */
function beginSentence({ config, first_step: first = 0, parent, grad_states }, runs) {
  if (first === 0)
    return "Nothing has run yet. Every `.grad` is None until the first `backward()`.";
  const name = runs.find(({ id }) => id === parent?.run)?.name;
  const of = name === undefined ? "a run that was deleted" : `“${name}”`;
  const grad = grad_states[0] === "fresh" ? " and `.grad` are" : " is";
  const who = config === null ? "its optimizer" : optimizerName(config.optimizer.kind);
  return (
    `This run begins with the numbers of step ${first} of ${of}. ` +
    `Update ${first}${grad} that run's; the first update by ${who} here is ${first + 1}.`
  );
}

/** @typedef {{count: number, still: number, broken: number, total: number}} Moved */

/**
 * How many numbers of the parameters the update changed, how many are not finite now, and how many
 * gradients are 0; null: the record of the step before is not here.
 * @param {Moment} moment
 * @param {Layout|null} layout
 * @returns {Moved|null}
 */
function movedIn({ values, before }, layout) {
  if (before === null || layout === null) return null;
  let [count, still, broken, total] = [0, 0, 0, 0];
  for (const { value, gradient, size } of layout.parameters) {
    for (let i = 0; i < size; i++) {
      const [now, then] = [values[value + i], before[value + i]];
      if (now !== then) count++;
      if (!Number.isFinite(now)) broken++;
      if (values[gradient + i] === 0) still++;
    }
    total += size;
  }
  return { count, still, broken, total };
}

/** @param {Run} run */
function runningSentence({ pace, config }) {
  const rate = pace === null ? "as fast as possible" : `at most ${plain(pace)} times a second`;
  const hint = "Pause, then press Phase to run them one by one.";
  const count = phasesOf(config).length === PHASES.length ? "five" : "four";
  return `The ${count} phases run over and over, ${rate}. ${hint}`;
}

/** @typedef {{step: number, loss: Scalar, config: RunConfig, moved: Moved|null}} Facts */

/** @type {Record<Phase, (run: Facts, gradState: GradState) => string>} */
const PHASE_SENTENCES = {
  zero_grad({ config, step }, gradState) {
    if (config.zero_grad !== false && step === 0)
      return "There is nothing to clear: every `.grad` is None until the first `backward()`.";
    if (config.zero_grad !== false)
      return "Every `.grad` is None again: the last gradients are gone. No parameter has changed.";
    return gradState === "none"
      ? "This run does not call `zero_grad()`. Every `.grad` is still None."
      : "This run does not call `zero_grad()`: the next `backward()` adds to the old `.grad`.";
  },
  forward({ step }, gradState) {
    const none = step === 0 ? "there is no gradient yet" : "`zero_grad()` of this step cleared it";
    const grad = gradState === "none" ? `\`.grad\` is None: ${none}.` : STALE;
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
  step({ step, config, moved }) {
    const grad = "`.grad` still holds the gradients from before the update.";
    return `Update ${step} is done: ${updateText(config, moved)} ${grad}`;
  },
};

const STALE = "`.grad` is stale: left over from an earlier iteration.";

/**
 * How the optimizer changed which parameters.
 * @param {RunConfig} config
 * @param {Moved|null} moved
 */
function updateText(config, moved) {
  const name = optimizerName(config.optimizer.kind);
  if (moved !== null && moved.broken > 0)
    return `after it, ${moved.broken} of the ${moved.total} parameters are not finite.`;
  const who = `${name} moved ${movedText(moved)}`;
  const zeros = moved !== null && moved.count < moved.total && moved.still > 0;
  const why = zeros ? ` ${moved.still} of the ${moved.total} gradients are 0.` : "";
  return `${who} ${wayText(config)}.${why}`;
}

/** @param {Moved|null} moved */
function movedText(moved) {
  if (moved === null) return "the parameters";
  const { count, total } = moved;
  return count === total ? "every parameter" : `${count} of the ${total} parameters`;
}

/** @param {RunConfig} config */
function wayText({ optimizer: { kind, momentum, weight_decay: decay } }) {
  const decayed = decay ? ", and towards zero by weight decay" : "";
  if (kind === "sgd") {
    const by = momentum ? "against the running sum of its gradients" : "by −lr × `.grad`";
    return `${by}${decayed}`;
  }
  if (kind === "rmsprop")
    return `by −lr × \`.grad\` ÷ its usual size${momentum ? ", through momentum" : ""}${decayed}`;
  return `against the running mean of its gradients, ÷ their usual size${decayed}`;
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
 * @property {"runs"|"newRun"|"again"|"gentler"|"goOn"|"play"|"dismiss"|"signIn"|null} act
 * @property {string} [label] the text of its button
 * @property {{act: "gentler", label: string}} [more] a second button
 */

/** @param {State} state @param {Run} run @returns {Notice|null} */
function runNotice(state, run) {
  if (run.state === "failed") return failedNotice(run);
  if (state.news.log !== null) return logNotice(state.news.log);
  if (state.diverged) return divergedNotice(run, state.nonfinite);
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
      text: `The loss before the last update is ${format(numberOf(run.loss))}. ${STILL}`,
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

const STILL = "You can still look at every step.";

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

/** @param {Run} run @param {Nonfinite|null} first @returns {Notice} */
function divergedNotice(run, first) {
  const loss = numberOf(run.loss);
  const lr = plain(gentlerRate(run));
  const again = { act: /** @type {const} */ ("gentler"), label: `Start again, try lr ${lr}` };
  const made = {
    mood: /** @type {const} */ ("bad"),
    title: `Diverged: ${Number.isFinite(loss) ? "a parameter" : "the loss"} is ${
      Number.isFinite(loss) ? "not finite" : format(loss)
    }`,
    text: first === null ? "The first number that is not finite is being looked for." : "",
  };
  if (first === null) return { ...made, ...again };
  const { step, finite } = first;
  if (finite === null) {
    const text = `Already in step ${stepText(step)}, and no finite step before it is kept: `;
    return { ...made, ...again, text: `${text}${firstText(first)}.` };
  }
  return {
    ...made,
    text: [
      `The first number that is not finite came up in step ${stepText(step)}: ${firstText(first)}.`,
      ...(finite === step - 1 ? [] : [`Steps from ${stepText(finite + 1)} on were thinned out.`]),
      "Whether a smaller lr helps is for you to try.",
    ].join(" "),
    act: "goOn",
    label: `Continue from step ${stepText(finite)}, try lr ${lr}`,
    more: again,
  };
}

/** @param {Nonfinite} first */
function firstText({ role, name, value }) {
  if (role === "loss") return `the loss is ${format(value)}`;
  if (role === "gradient") return `backward() made the gradient of ${name} ${format(value)}`;
  return `the update made ${name} ${format(value)}`;
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
