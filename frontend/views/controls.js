// The training controls: Train, Step, Phase, the phase strip, pace, learning rate and the measured
// speed. Knows nothing about how commands are sent.

import { permitted, toggle } from "../commands.js";
import { format, stepText } from "../lib/format.js";
import { numberOf, parseDecimal } from "../lib/number.js";
import { isBegin, lossOfStep, PHASES, paceText, phasesOf, plain, SKIPPED } from "../texts.js";
import { shown } from "../time/shown_moment.js";
import { barButton, element, set, whenChanged, write } from "./dom.js";

/** @import { Send } from "../commands.js" */
/** @import { Moment, Phase, Run, State, Store, View } from "../types.js" */

/** Steps per second that the slider offers; null: as fast as possible. */
const PACES = [1, 2, 5, 10, 30, 60, 120, 300, 1000, null];

/** @param {HTMLElement} root @param {Store} store @param {Send} send @returns {View} */
export function mount(root, store, send) {
  const buttons = createButtons(store, send);
  const strip = createStrip();
  const pace = createPace(send);
  const rate = createRate(send);
  const speed = element("span", { class: "speed", title: "Measured, by the trainer's clock" });
  root.append(buttons.root, strip.root, pace.root, rate.root, speed);
  return {
    draw(state) {
      buttons.draw(state);
      strip.draw(state);
      pace.draw(state.run);
      rate.draw(state.run);
      write(
        speed,
        state.connection === "open" && state.run?.state === "running" && state.stepsPerSec > 0
          ? `${speedText(state.stepsPerSec)} steps/s`
          : "",
      );
    },
    unmount: () => root.replaceChildren(),
  };
}

/** @param {number} rate */
function speedText(rate) {
  return rate >= 100
    ? Math.round(rate).toLocaleString("en")
    : rate >= 10
      ? rate.toFixed(0)
      : rate.toFixed(1);
}

/** @param {Store} store @param {Send} send */
function createButtons(store, send) {
  const train = barButton("train", "▶ Train", "Space", () => void toggle(store, send));
  const step = barButton(
    "step-once",
    "Step ▸▸",
    "One step (→)",
    () => void send({ kind: "step", count: 1 }),
  );
  const phase = barButton(
    "phase-once",
    "Phase ▸",
    "One phase of a step (.)",
    () => void send({ kind: "phase" }),
  );
  train.classList.add("primary");
  /** @param {State} state */
  function draw({ run, busy, connection }) {
    const may = permitted(run);
    const isOpen = connection === "open";
    write(train, may.pause ? "❚❚ Pause" : "▶ Train");
    set(train, "disabled", !isOpen || !(may.play || may.pause));
    set(train, "aria-busy", busy === "play" || busy === "pause");
    set(step, "disabled", !isOpen || !may.step);
    set(phase, "disabled", !isOpen || !may.phase);
  }
  return { root: element("div", { class: "buttons" }, train, step, phase), draw };
}

function createStrip() {
  const parts = PHASES.map((name) => element("li", { "data-phase": name }, name));
  const root = element("ol", { class: "strip", "aria-label": "Phases of one step" }, ...parts);
  const draw = whenChanged(
    (
      /** @type {Phase|null} */ phase,
      /** @type {boolean} */ isRunning,
      /** @type {string} */ loss,
      /** @type {string} */ lossTitle,
      /** @type {Phase[]} */ phases,
    ) => {
      const at = phase === null ? -1 : PHASES.indexOf(phase);
      parts.forEach((part, i) => {
        write(part, PHASES[i] === "loss" && loss !== "" ? `loss ${loss}` : PHASES[i]);
        const isSkipped = !phases.includes(PHASES[i]);
        const place = isRunning ? "running" : i === at ? "now" : i < at ? "done" : "ahead";
        set(part, "class", isSkipped ? "skipped" : place);
        const title = PHASES[i] === "loss" && loss !== "" ? lossTitle : null;
        set(part, "title", isSkipped ? SKIPPED : title);
        set(part, "aria-current", !isRunning && i === at ? "step" : null);
      });
    },
  );
  return {
    root,
    /** @param {State} state */
    draw(state) {
      const { run, moment } = shown(state);
      const isRunning = run?.state === "running";
      const isAtStart = moment === null || isBegin(run, moment);
      // Until this iteration has computed its loss, there is only the one before it.
      const hasLoss = moment?.phase !== "zero_grad" && moment?.phase !== "forward";
      draw(
        isAtStart ? null : moment.phase,
        isRunning,
        run?.loss == null || !hasLoss ? "" : format(numberOf(run.loss), 3),
        moment === null ? "" : lossTitle(moment),
        phasesOf(run?.config),
      );
    },
  };
}

/** Which parameters the loss in the strip belongs to. @param {Moment} moment */
const lossTitle = ({ step, phase }) =>
  phase === "step" ? lossOfStep(step) : `The loss of step ${stepText(step + 1)}, before its update`;

/** @param {Send} send */
function createPace(send) {
  const slider = element("input", {
    type: "range",
    id: "pace",
    min: 0,
    max: PACES.length - 1,
    step: 1,
  });
  const text = element("span", { class: "pace-text", "aria-hidden": "true" });
  slider.addEventListener("input", () => write(text, paceText(PACES[Number(slider.value)])));
  /** @type {number|null|undefined} the pace in force */
  let current;
  function restore() {
    if (current === undefined) return write(text, "");
    slider.value = String(nearest(current));
    write(text, paceText(current));
    set(slider, "aria-valuetext", paceText(current));
  }
  slider.addEventListener("change", async () => {
    if (!(await send({ kind: "tune", pace: PACES[Number(slider.value)] }))) restore();
  });
  const draw = whenChanged(
    (/** @type {number|null|undefined} */ pace, /** @type {boolean} */ may) => {
      slider.disabled = !may;
      current = pace;
      restore();
    },
  );
  return {
    root: element(
      "div",
      { class: "tuner" },
      element("label", { for: "pace" }, "pace"),
      slider,
      text,
    ),
    /** @param {Run|null} run */
    draw: (run) => draw(run?.config == null ? undefined : run.pace, permitted(run).tune),
  };
}

/** The slider's position that is nearest to a pace. @param {number|null} pace */
function nearest(pace) {
  const away = PACES.map((offered) =>
    offered === null || pace === null ? Infinity : Math.abs(Math.log(offered / pace)),
  );
  return pace === null ? PACES.length - 1 : away.indexOf(Math.min(...away));
}

/** @param {Send} send */
function createRate(send) {
  const input = element("input", {
    id: "lr",
    inputmode: "decimal",
    autocomplete: "off",
    size: 7,
    title: "Learning rate; Enter applies it from the next step on",
  });
  const draw = whenChanged((/** @type {number|null} */ lr, /** @type {boolean} */ may) => {
    if (document.activeElement !== input) input.value = lr === null ? "" : plain(lr);
    input.disabled = !may;
  });
  /** @type {number|null} the rate in force */
  let current = null;
  const restore = () => {
    input.value = current === null ? "" : plain(current);
    input.setCustomValidity("");
  };
  input.addEventListener("input", () => input.setCustomValidity(problemWith(input.value)));
  input.addEventListener("change", async () => {
    if (problemWith(input.value) !== "") return void input.reportValidity();
    const lr = /** @type {number} */ (parseDecimal(input.value));
    if (lr !== current && !(await send({ kind: "tune", lr }))) restore();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") restore();
  });
  input.addEventListener("blur", () => problemWith(input.value) !== "" && restore());
  return {
    root: element("div", { class: "tuner" }, element("label", { for: "lr" }, "lr"), input),
    /** @param {Run|null} run */
    draw(run) {
      current = run?.config == null ? null : run.lr;
      draw(current, permitted(run).tune);
    },
  };
}

/** @param {string} text */
function problemWith(text) {
  const value = parseDecimal(text);
  return value !== null && value >= 0 && value <= 1e6
    ? ""
    : "A decimal number from 0 to 1,000,000, such as 0.01 or 1e-3";
}
