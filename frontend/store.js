// The state of the page and everything that changes it: message → reduce → state.
// Reducers are pure. Only createStore holds a variable. Knows nothing about the socket or the page.

import { addOverlay, keepOverlays, removeOverlay, swapOverlay } from "./compare/overlay.js";
import { isSame } from "./lib/target.js";
import {
  appendRecords,
  createChartRows,
  insertRecords,
  insertSeries,
  joinPast,
} from "./stream/chart_rows.js";
import { gradStatesIn, scalarsOf } from "./stream/record.js";

/** @import { Action, ActionOf, Frame, Layout, Moment, Run, State, Store } from "./types.js" */

const RATE_WINDOW_SECS = 1.5;

/** @returns {State} */
export function initialState() {
  return { ...ofThePage(), ...ofTheRun() };
}

/** What stays when another run is opened. */
function ofThePage() {
  return /** @satisfies {Partial<State>} */ ({
    runs: [],
    loaded: false,
    loop: null,
    problem: null,
    torch: /** @type {State["torch"]} */ ("ready"),
    overlaid: [],
    overlays: [],
    reducedMotion: false,
    dark: false,
  });
}

/** What belongs to one run, as it is before its first message. @returns {RunPart} */
function ofTheRun() {
  return {
    connection: "connecting",
    run: null,
    opened: undefined,
    missing: null,
    layout: null,
    data: null,
    moment: null,
    settled: null,
    diverged: false,
    nonfinite: null,
    rows: null,
    exact: null,
    visited: null,
    playback: { direction: 0, speed: null },
    target: null,
    hovered: null,
    pin: null,
    stepsPerSec: 0,
    rateSamples: [],
    busy: null,
    news: { restarted: null, log: null },
  };
}

/** @typedef {Omit<State, keyof ReturnType<typeof ofThePage>>} RunPart */

/**
 * One reducer for each action. It returns the fields that change.
 * @type {{[T in Action["type"]]: (state: State, action: ActionOf<T>) => Partial<State>}}
 */
const REDUCERS = {
  open: (state, { id }) => ({ ...ofTheRun(), opened: id, ...swapOverlay(state, id) }),
  close: () => ofTheRun(),
  missing: ({ connection, opened, busy }, { id }) => ({
    ...ofTheRun(),
    connection,
    opened,
    busy,
    missing: id,
  }),
  connection: (_, { connection }) => ({ connection }),
  hello: applyHello,
  state: (state, { run }) => applyState(state, run),
  frame: (state, { frame }) =>
    frame.kind === "phase" ? applyPhaseFrame(state, frame) : applyRecords(state, frame),
  recordBefore: applyRecordBefore,
  pastSeries: ({ rows, layout }, { series }) =>
    rows === null || layout === null ? {} : { rows: joinPast(rows, layout, series) },
  backfillRecords: ({ rows, layout }, { chunks, wanted }) =>
    rows === null || layout === null ? {} : { rows: insertRecords(rows, layout, chunks, wanted) },
  backfillSeries: ({ rows, layout }, { series, wanted }) =>
    rows === null || layout === null ? {} : { rows: insertSeries(rows, layout, series, wanted) },
  data: (_, { data }) => ({ data }),
  runs: (state, { runs }) => ({ runs, loaded: true, ...keepOverlays(state, runs) }),
  loop: (_, { loop }) => ({ loop }),
  health: (_, { torch }) => ({ torch }),
  visit: (state, { step, isMoving }) => visit(state, step, isMoving ?? false),
  visitedRecord: applyVisitedRecord,
  visitedThinned: ({ visited }, { step, kept }) =>
    visited === null || visited.step !== step ? {} : { visited: { ...visited, kept } },
  exactRanges: (_, { exact }) => ({ exact }),
  nonfinite: (_, { nonfinite }) => ({ nonfinite }),
  stopMoving: ({ visited }) =>
    visited === null ? {} : { visited: { ...visited, isMoving: false } },
  live: ({ playback }) => ({ visited: null, playback: { ...playback, direction: 0 } }),
  playback: applyPlayback,
  news: ({ news }, { title, detail }) => ({
    news:
      title === "restarted"
        ? { ...news, restarted: detail }
        : { ...news, log: title === "log" ? detail : null },
  }),
  dismissNews: ({ news }) => ({ news: { ...news, restarted: null } }),
  overlay: (state, { id, isShown }) => (isShown ? addOverlay(state, id) : removeOverlay(state, id)),
  overlays: ({ overlaid }, { overlays }) => ({
    overlays: overlays.filter(({ run }) => overlaid.includes(run.id)),
  }),
  target: ({ pin }, { target }) => ({ hovered: target, target: target ?? pin }),
  pin: ({ hovered, pin: known }, { target }) => {
    const pin = isSame(known, target) ? null : target;
    return { pin, target: hovered ?? pin };
  },
  busy: (_, { busy }) => ({ busy }),
  // A 401 means that the server does not know this browser any more, whatever was asked.
  problem: (_, { problem }) =>
    problem?.status === 401 ? { connection: "signed-out" } : { problem },
  resized: () => ({}),
  appearance: (_, { dark, reducedMotion }) => ({ dark, reducedMotion }),
};

/** @param {State} state @param {Action} action @returns {State} */
export function reduce(state, action) {
  if (!Object.hasOwn(REDUCERS, action.type)) throw new Error(`unknown action ${action.type}`);
  // TypeScript cannot see that the reducer found by its type is the one for this action.
  const reducer = /** @type {(state: State, action: Action) => Partial<State>} */ (
    REDUCERS[action.type]
  );
  return { ...state, ...reducer(state, action) };
}

/**
 * @param {(hurry: boolean) => void} invalidate hurry: a person did this and waits for the answer
 * @returns {Store}
 */
export function createStore(invalidate) {
  const store = {
    state: initialState(),
    /** @param {Action} action */
    dispatch(action) {
      store.state = reduce(store.state, action);
      // While the timeline is dragged or played, the slower cards may wait.
      invalidate(action.type !== "frame" && !store.state.visited?.isMoving);
    },
  };
  return store;
}

/** @param {State} state @param {ActionOf<"hello">} action @returns {Partial<State>} */
function applyHello(state, { run, layout }) {
  const isKnown = layout !== null && state.rows?.norms.length === layout.parameters.length;
  const fresh = layout === null ? null : createChartRows(layout.parameters.length);
  return {
    run,
    runs: replaced(state.runs, run),
    layout,
    rows: isKnown ? state.rows : fresh,
    connection: "open",
    missing: null,
  };
}

/** @param {Run[]} runs @param {Run} run */
function replaced(runs, run) {
  return runs.map((other) => (other.id === run.id ? run : other));
}

/** @param {State} state @param {Run} run @returns {Partial<State>} */
function applyState(state, run) {
  const { moment } = state;
  const isHere = moment !== null && moment.step === run.step && run.state !== "running";
  const gradStates = run.grad_states.length > 0 ? run.grad_states : (moment?.gradStates ?? []);
  const isRunning = run.state === "running";
  return {
    run,
    runs: replaced(state.runs, run),
    moment: isHere ? { ...moment, phase: run.phase, gradStates } : moment,
    stepsPerSec: isRunning ? state.stepsPerSec : 0,
    rateSamples: isRunning ? state.rateSamples : [],
  };
}

/**
 * The inside of an iteration, until the next record comes.
 * @param {State} state
 * @param {Frame} frame
 * @returns {Partial<State>}
 */
function applyPhaseFrame({ run, settled }, frame) {
  const before = settled?.step === frame.first ? settled.before : null;
  const gradStates = run?.grad_states ?? [];
  const values = frame.values.slice();
  return { moment: { step: frame.first, phase: run?.phase ?? "step", values, gradStates, before } };
}

/** @param {State} state @param {Frame} frame @returns {Partial<State>} */
function applyRecords(state, frame) {
  const { layout, rows, run } = state;
  if (layout === null || rows === null || run === null) return {};
  const step = frame.first + frame.count - 1;
  const values = frame.values.slice((frame.count - 1) * layout.floats);
  const gradStates = gradStatesAt(layout, values, step, run);
  /** @type {Moment} */
  const settled = {
    step,
    phase: "step",
    values,
    gradStates,
    before: recordBefore(state, frame, layout),
  };
  return {
    run: advanced(run, layout, settled),
    rows: appendRecords(rows, layout, frame.first, frame.values),
    settled,
    moment: isInside(state, step) ? state.moment : settled,
    diverged: step > 0 && !isAllFinite(layout, values),
    ...measuredRate(state, frame.time, step),
  };
}

/** @param {Run} run @param {Layout} layout @param {Moment} settled @returns {Run} */
function advanced(run, layout, { step, values, gradStates }) {
  if (step <= run.step && run.state !== "running") return run;
  const scalars = scalarsOf(layout, values, step, run.lr);
  return { ...run, ...scalars, step, phase: "step", grad_states: gradStates };
}

/**
 * Whether the screen shows the inside of the iteration after this step. The record of the step may
 * be sent again after a reconnect, and must not hide it.
 * @param {State} state
 * @param {number} step
 */
function isInside({ moment, run }, step) {
  return (
    run?.state !== "running" &&
    run?.phase !== "step" &&
    moment?.step === step &&
    moment.phase !== "step"
  );
}

/**
 * @param {Layout} layout
 * @param {Float32Array} values
 * @param {number} step
 * @param {Run} run
 */
function gradStatesAt(layout, values, step, run) {
  const isTold = run.step === step && run.phase === "step" && run.grad_states.length > 0;
  return isTold ? run.grad_states : gradStatesIn(layout, values, step);
}

/** @param {State} state @param {Frame} frame @param {Layout} layout */
function recordBefore({ settled }, frame, layout) {
  const { count, first, values } = frame;
  if (count > 1) return values.slice((count - 2) * layout.floats, (count - 1) * layout.floats);
  if (settled?.step === first) return settled.before;
  return settled?.step === first - 1 ? settled.values : null;
}

/** @param {Layout} layout @param {Float32Array} values */
function isAllFinite(layout, values) {
  if (!Number.isFinite(values[layout.scalars.get("loss") ?? 0])) return false;
  return layout.parameters.every(({ value, size }) =>
    values.subarray(value, value + size).every(Number.isFinite),
  );
}

/**
 * Steps per second, by the trainer's own clock.
 * @param {State} state
 * @param {number} time
 * @param {number} step
 */
function measuredRate({ rateSamples }, time, step) {
  const earlier = rateSamples.filter((sample) => sample.step < step);
  const recent = earlier.filter((sample) => time - sample.time <= RATE_WINDOW_SECS);
  const kept = [...(recent.length > 0 ? recent : earlier.slice(-1)), { time, step }];
  const secs = time - kept[0].time;
  return { rateSamples: kept, stepsPerSec: secs > 0 ? (step - kept[0].step) / secs : 0 };
}

/** @param {State} state @param {ActionOf<"recordBefore">} action @returns {Partial<State>} */
function applyRecordBefore({ settled, moment }, { step, values }) {
  /** @param {Moment|null} one */
  const completed = (one) =>
    one !== null && one.step === step + 1 && one.before === null ? { ...one, before: values } : one;
  return { settled: completed(settled), moment: completed(moment) };
}

/**
 * Look at a step. The newest one is where the screen follows the training again.
 * @param {State} state
 * @param {number} wanted
 * @param {boolean} isMoving
 * @returns {Partial<State>}
 */
function visit({ run, layout, visited, playback }, wanted, isMoving) {
  if (run === null || layout === null || !Number.isFinite(wanted)) return {};
  const step = Math.max(Math.round(wanted), run.first_step ?? 0);
  if (step >= run.step) return { visited: null, playback: { ...playback, direction: 0 } };
  if (visited?.step === step) return { visited: { ...visited, isMoving } };
  return { visited: { step, moment: visited?.moment ?? null, isMoving, kept: null } };
}

/** @param {State} state @param {ActionOf<"visitedRecord">} record @returns {Partial<State>} */
function applyVisitedRecord({ visited, layout }, { step, values, before }) {
  if (visited === null || layout === null) return {};
  const { moment } = visited;
  if (moment !== null && moment.step === step && moment.before !== null) return {};
  const gradStates = gradStatesIn(layout, values, step);
  return { visited: { ...visited, moment: { step, phase: "step", values, before, gradStates } } };
}

/**
 * Play the run's steps. From the newest step, playback goes back or begins at the first step.
 * @param {State} state
 * @param {ActionOf<"playback">} action
 * @returns {Partial<State>}
 */
function applyPlayback(state, { direction = state.playback.direction, speed }) {
  const { run, visited } = state;
  const playback = { direction, speed: speed ?? state.playback.speed };
  if (direction === 0)
    return { playback, visited: visited === null ? null : { ...visited, isMoving: false } };
  const from = visited?.step ?? (direction < 0 ? (run?.step ?? 0) - 1 : (run?.first_step ?? 0));
  return { playback, ...visit({ ...state, playback }, from, true) };
}
