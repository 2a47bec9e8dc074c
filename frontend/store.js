// message → reduce → state: the one place where what is shown changes.
// Pure but for createStore's one variable; knows nothing about the socket or the page.

import { addOverlay, removeOverlay, swapOverlay } from "./compare/overlay.js";
import {
  appendRecords,
  createChartRows,
  insertRecords,
  insertSeries,
  joinPast,
} from "./stream/chart_rows.js";
import { numberOf } from "./stream/protocol.js";

/** @import { Action, GradState, Layout, Moment, Overlay, Run, State, Store, Target } from "./types.js" */
/** @import { Frame } from "./stream/protocol.js" */

const RATE_WINDOW_SECS = 1.5;

/** @returns {State} */
export function initialState() {
  return {
    connection: "connecting",
    run: null,
    runs: [],
    layout: null,
    data: null,
    moment: null,
    settled: null,
    rows: null,
    target: null,
    hovered: null,
    pin: null,
    pinned: false,
    loop: null,
    stepsPerSec: 0,
    rateSamples: [],
    busy: null,
    problem: null,
    reducedMotion: false,
    dark: false,
    diverged: false,
    loaded: false,
    torch: "ready",
    missing: null,
    visited: null,
    exact: null,
    playback: { direction: 0, speed: null },
    news: { restarted: null, log: null },
    overlaid: [],
    overlays: [],
  };
}

/** What of a state belongs to one run, as it is before the first message. */
function blank() {
  const {
    connection,
    runs,
    loop,
    busy,
    problem,
    reducedMotion,
    dark,
    loaded,
    torch,
    missing,
    overlaid,
    overlays,
    ...own
  } = initialState();
  return own;
}

/** @type {Record<string, (state: State, action: Action) => Partial<State>>} */
const REDUCERS = {
  open: (state, { id }) => ({
    ...blank(),
    connection: "connecting",
    busy: null,
    missing: null,
    opened: id,
    ...swapOverlay(state, id),
  }),
  close: () => ({ ...blank(), connection: "connecting", busy: null, opened: undefined }),
  missing: (_, { id }) => ({ ...blank(), missing: id }),
  connection: (_, { connection }) => ({ connection }),
  hello: (state, { run, layout }) => greet(state, run, layout),
  state: (state, { run }) => follow(state, run),
  frame: (state, { frame }) =>
    frame.kind === "phase" ? halfDone(state, frame) : recorded(state, frame),
  recordBefore: (state, { step, values }) => remember(state, step, values),
  pastSeries: (state, { series }) => past(state, series),
  backfill: (state, found) => missed(state, found),
  data: (_, { data }) => ({ data }),
  runs: (_, { runs }) => ({ runs, loaded: true }),
  loop: (_, { loop }) => ({ loop }),
  health: (_, { torch }) => ({ torch }),
  visit: (state, { step, isMoving }) => visit(state, step, isMoving ?? false),
  visitedRecord: ({ visited, layout }, record) =>
    visited === null || layout === null
      ? {}
      : { visited: { ...visited, moment: recalled(visited, layout, record) } },
  visitedThinned: ({ visited }, { step, kept }) =>
    visited === null || visited.step !== step ? {} : { visited: { ...visited, kept } },
  exactRanges: (_, { exact }) => ({ exact }),
  stopMoving: ({ visited }) =>
    visited === null ? {} : { visited: { ...visited, isMoving: false } },
  live: ({ playback }) => ({ visited: null, playback: { ...playback, direction: 0 } }),
  playback: (state, { direction, speed }) => playBack(state, direction, speed),
  news: ({ news }, { title, detail }) => ({ news: newsAfter(news, title, detail) }),
  dismissNews: ({ news }) => ({ news: { ...news, restarted: null } }),
  overlay: (state, { id, isShown }) => (isShown ? addOverlay(state, id) : removeOverlay(state, id)),
  overlays: ({ overlaid }, { overlays }) => ({
    overlays: overlays.filter((/** @type {Overlay} */ { run }) => overlaid.includes(run.id)),
  }),
  target: (state, { target }) => aim({ ...state, hovered: target }),
  pin: (state, { target }) => aim({ ...state, pin: isSame(state.pin, target) ? null : target }),
  busy: (_, { busy }) => ({ busy }),
  problem: (_, { problem }) => ({ problem }),
  resized: () => ({}),
  appearance: (_, { dark, reducedMotion }) => ({ dark, reducedMotion }),
};

/** @param {State} state @param {Action} action @returns {State} */
export function reduce(state, action) {
  const reducer = REDUCERS[action.type];
  if (reducer === undefined) throw new Error(`unknown action ${action.type}`);
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
      invalidate(action.type !== "frame" && !store.state.visited?.isMoving); // dragged or played: nobody reads meanwhile
    },
  };
  return store;
}

/** @param {State} state @param {Run} run @param {Layout|null} layout @returns {Partial<State>} */
function greet(state, run, layout) {
  const isKnown = layout !== null && state.rows?.norms.length === layout.parameters.length;
  const rows =
    layout === null ? null : isKnown ? state.rows : createChartRows(layout.parameters.length);
  return {
    run,
    runs: replace(state.runs, run),
    layout,
    rows,
    connection: "open",
    missing: null,
  };
}

/** @param {Run[]} runs @param {Run} run */
function replace(runs, run) {
  return runs.map((other) => (other.id === run.id ? run : other));
}

/** @param {State} state @param {Run} run @returns {Partial<State>} */
function follow(state, run) {
  const { moment } = state;
  const isHere = moment !== null && moment.step === run.step && run.state !== "running";
  const gradStates = run.grad_states.length > 0 ? run.grad_states : (moment?.gradStates ?? []);
  const stepsPerSec = run.state === "running" ? state.stepsPerSec : 0;
  const rateSamples = run.state === "running" ? state.rateSamples : [];
  const next = isHere ? { ...moment, phase: run.phase, gradStates } : moment;
  return { run, runs: replace(state.runs, run), moment: next, stepsPerSec, rateSamples };
}

/** The inside of an iteration: the next record supersedes it. @param {State} state @param {Frame} frame @returns {Partial<State>} */
function halfDone(state, frame) {
  const { run, settled } = state;
  const before = settled?.step === frame.first ? settled.before : null;
  const gradStates = run?.grad_states ?? [];
  const values = frame.values.slice();
  return { moment: { step: frame.first, phase: run?.phase ?? "step", values, gradStates, before } };
}

/** @param {State} state @param {Frame} frame @returns {Partial<State>} */
function recorded(state, frame) {
  const { layout, rows, run } = state;
  if (layout === null || rows === null || run === null) return {};
  appendRecords(rows, layout, frame.first, frame.values);
  const step = frame.first + frame.count - 1;
  const values = frame.values.slice((frame.count - 1) * layout.floats);
  const gradStates = gradStatesOf(layout, step, run);
  /** @type {Moment} */
  const settled = {
    step,
    phase: "step",
    values,
    gradStates,
    before: previous(state, frame, layout),
  };
  return {
    run: advanced(run, layout, settled),
    settled,
    moment: isInside(state, step) ? state.moment : settled,
    diverged: step > 0 && !isFinite(layout, values),
    ...rated(state, frame.time, step),
  };
}

/** @param {Run} run @param {Layout} layout @param {Moment} settled @returns {Run} */
function advanced(run, layout, { step, values, gradStates }) {
  if (step <= run.step && run.state !== "running") return run;
  const scalar = (/** @type {string} */ name) => values[layout.scalars.get(name) ?? -1] ?? null;
  const [loss, validation_loss] =
    step === 0 ? [null, null] : [scalar("loss"), scalar("validation_loss")];
  return {
    ...run,
    step,
    phase: "step",
    grad_states: gradStates,
    loss,
    validation_loss,
    lr: scalar("lr") ?? run.lr,
  };
}

/** A record that is sent again must not hide the half-done iteration after it. @param {State} state @param {number} step */
function isInside({ moment, run }, step) {
  return (
    run?.state !== "running" &&
    run?.phase !== "step" &&
    moment?.step === step &&
    moment.phase !== "step"
  );
}

/** @param {Layout} layout @param {number} step @param {Run} run @returns {GradState[]} */
function gradStatesOf(layout, step, run) {
  if (run.step === step && run.phase === "step" && run.grad_states.length > 0)
    return run.grad_states;
  return layout.parameters.map(() => (step === 0 ? "none" : "fresh"));
}

/** @param {State} state @param {Frame} frame @param {Layout} layout */
function previous({ settled }, frame, layout) {
  const { count, first, values } = frame;
  if (count > 1) return values.slice((count - 2) * layout.floats, (count - 1) * layout.floats);
  if (settled?.step === first) return settled.before;
  return settled?.step === first - 1 ? settled.values : null;
}

/** @param {Layout} layout @param {Float32Array} values */
function isFinite(layout, values) {
  if (!Number.isFinite(values[layout.scalars.get("loss") ?? 0])) return false;
  return layout.parameters.every(({ value, size }) =>
    values.subarray(value, value + size).every(Number.isFinite),
  );
}

/** Steps per second by the trainer's own clock. @param {State} state @param {number} time @param {number} step */
function rated({ rateSamples }, time, step) {
  const earlier = rateSamples.filter((sample) => sample.step < step);
  const recent = earlier.filter((sample) => time - sample.time <= RATE_WINDOW_SECS);
  const kept = [...(recent.length > 0 ? recent : earlier.slice(-1)), { time, step }];
  const secs = time - kept[0].time;
  return { rateSamples: kept, stepsPerSec: secs > 0 ? (step - kept[0].step) / secs : 0 };
}

/** @param {State} state @param {number} step @param {Float32Array} values @returns {Partial<State>} */
function remember({ settled, moment }, step, values) {
  const isNeeded = (/** @type {Moment|null} */ m) =>
    m !== null && m.step === step + 1 && m.before === null;
  return {
    settled: settled !== null && isNeeded(settled) ? { ...settled, before: values } : settled,
    moment: moment !== null && isNeeded(moment) ? { ...moment, before: values } : moment,
  };
}

/** Look at a step; the newest one is now. @param {State} state @param {number} wanted @param {boolean} isMoving @returns {Partial<State>} */
function visit({ run, layout, visited, playback }, wanted, isMoving) {
  if (run === null || layout === null || !Number.isFinite(wanted)) return {};
  const step = Math.max(Math.round(wanted), run.first_step ?? 0);
  if (step >= run.step) return { visited: null, playback: { ...playback, direction: 0 } };
  if (visited?.step === step) return { visited: { ...visited, isMoving } };
  return { visited: { step, moment: visited?.moment ?? null, isMoving, kept: null } };
}

/** @param {import("./types.js").Visited} visited @param {Layout} layout @param {Action} record @returns {Moment} */
function recalled({ moment }, layout, { step, values, before }) {
  if (moment !== null && moment.step === step && moment.before !== null) return moment;
  const gradStates = layout.parameters.map(
    () => /** @type {GradState} */ (step === 0 ? "none" : "fresh"),
  );
  return { step, phase: "step", values, before, gradStates };
}

/** From now one goes back, or begins at the beginning. @param {State} state @param {-1|0|1|undefined} direction @param {number|undefined} speed @returns {Partial<State>} */
function playBack(state, direction = state.playback.direction, speed) {
  const { run, visited } = state;
  const playback = { direction, speed: speed ?? state.playback.speed };
  if (direction === 0)
    return { playback, visited: visited === null ? null : { ...visited, isMoving: false } };
  const from = visited?.step ?? (direction < 0 ? (run?.step ?? 0) - 1 : (run?.first_step ?? 0));
  const start = visit({ ...state, playback }, from, true);
  return { playback, ...start };
}

/** @param {State["news"]} news @param {string} title @param {string} detail */
function newsAfter(news, title, detail) {
  if (title === "restarted") return { ...news, restarted: detail };
  return { ...news, log: title === "log" ? detail : null };
}

/** @param {State} state @param {any[]} series @returns {Partial<State>} */
function past({ rows, layout }, series) {
  return rows === null || layout === null ? {} : { rows: joinPast(rows, layout, series) };
}

/** What the stream left out: its records or, of a long stretch, series. @param {State} state @param {Action} found @returns {Partial<State>} */
function missed({ rows, layout }, { chunks, series, wanted }) {
  if (rows === null || layout === null) return {};
  const isExact = chunks !== undefined;
  return {
    rows: isExact
      ? insertRecords(rows, layout, chunks, wanted)
      : insertSeries(rows, layout, series, wanted),
  };
}

/** @param {State} state @returns {Partial<State>} */
function aim({ hovered, pin }) {
  return { hovered, pin, target: hovered ?? pin, pinned: pin !== null };
}

/** @param {Target|null} a @param {Target|null} b */
export function isSame(a, b) {
  return a === b || (a !== null && b !== null && JSON.stringify(a) === JSON.stringify(b));
}

/** Loss of the last iteration, NaN before the first. @param {State} state */
export function lossOf({ run }) {
  return numberOf(run?.loss);
}
