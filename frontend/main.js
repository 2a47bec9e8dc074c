// The composition root: makes each part once, hands it what it needs, and follows the run in the address.
// Knows nothing of its own.

import { api, problemOf } from "./api.js";
import { createSend, toggle } from "./commands.js";
import { listen } from "./keys.js";
import { createStore } from "./store.js";
import { createClock, createStats } from "./stream/clock.js";
import { connect } from "./stream/connection.js";
import { gentlerRate } from "./texts.js";
import { createTheme } from "./theme.js";
import { shown } from "./time/shown_moment.js";
import { createTimeCommands, timeKeys } from "./time/time_commands.js";
import * as bar from "./views/bar.js";
import * as code from "./views/code.js";
import * as controls from "./views/controls.js";
import * as exporting from "./views/export.js";
import * as fit from "./views/fit.js";
import * as inspector from "./views/inspector.js";
import * as lazyCard from "./views/lazy_card.js";
import * as network from "./views/network.js";
import * as notice from "./views/notice.js";
import { setTheme } from "./views/palette.js";
import * as parameters from "./views/parameters.js";
import * as stepBadge from "./views/step_badge.js";
import * as timeline from "./views/timeline.js";

/** @import { Connection } from "./stream/connection.js" */
/** @import { StepLoader } from "./time/step_loader.js" */
/** @import { Problem, Run, RunConfig, View } from "./types.js" */

/** Nobody reads numbers or charts faster than this; the drawing and the fit follow every frame. */
const READ_MS = 100;
const CHART_MS = 200;
const RETRY_MS = 1000;

/** The way to past steps is fetched when someone first looks back. @type {StepLoader|null} */
let stepLoader = null;
/** @type {Promise<void>|null} */
let loadingSteps = null;

/** What is laid over the charts is fetched by a module that comes with the first of it. @type {{follow: () => void}|null} */
let overlayLoader = null;
/** @type {Promise<void>|null} */
let loadingOverlays = null;

const stats = createStats();
const clock = createClock(stats);
const store = createStore((hurry) => {
  clock.invalidate(hurry);
  lookBack();
  lookBeside();
});
const send = createSend(store, api);
const timeCommands = createTimeCommands(store, send);
const theme = createTheme(({ dark, reducedMotion }) => {
  setTheme(dark);
  store.dispatch({ type: "appearance", dark, reducedMotion });
});

/** @type {Connection|null} */
let connection = null;

/** Relative to the page, as every address is: it may stand below a prefix, behind a proxy. */
const socketOf = (/** @type {string} */ path) =>
  new WebSocket(new URL(path, document.baseURI.replace(/^http/, "ws")));
const setTimer = (/** @type {() => void} */ callback, /** @type {number} */ ms) =>
  setTimeout(callback, ms);

function lookBack() {
  if (stepLoader !== null) stepLoader.follow();
  else if (store.state.visited !== null) loadingSteps ??= loadSteps();
}

async function loadSteps() {
  const [{ createStepLoader }, { httpSource }] = await Promise.all([
    import("./time/step_loader.js"),
    import("./time/http_source.js"),
  ]);
  const nextFrame = (/** @type {(now: number) => void} */ callback) =>
    requestAnimationFrame(callback);
  stepLoader = createStepLoader({
    store,
    sourceOf: (id, layout) => httpSource(id, api, layout),
    nextFrame,
    setTimer,
  });
  stepLoader.follow();
}

function lookBeside() {
  if (overlayLoader !== null) overlayLoader.follow();
  else if (store.state.overlaid.length > 0) loadingOverlays ??= loadOverlays();
}

async function loadOverlays() {
  const { createOverlayLoader } = await import("./compare/overlay_loader.js");
  overlayLoader = createOverlayLoader({ store, api, setTimer });
  overlayLoader.follow();
}

/** The run that the address names. */
const addressed = () => new URLSearchParams(location.hash.slice(1)).get("run");

/** @param {string|null} id */
function follow(id) {
  if (id === null || id === store.state.opened) return;
  connection?.close();
  store.dispatch({ type: "open", id });
  connection = connect(id, { store, api, stats, open: socketOf, setTimer });
}

/** @param {string} id */
function open(id) {
  history.replaceState(null, "", `#run=${encodeURIComponent(id)}`);
  follow(id);
}

async function refresh() {
  store.dispatch({ type: "runs", runs: await api.runs() });
}

/** @param {Partial<RunConfig>} config */
async function create(config) {
  const run = await api.createRun(config);
  await refresh();
  open(run.id);
}

/** @param {() => Promise<void>} act what is refused is said on the page */
async function attempt(act) {
  try {
    await act();
  } catch (error) {
    store.dispatch({ type: "problem", problem: problemOf(error) });
  }
}

/** @param {string} id */
async function remove(id) {
  await api.deleteRun(id);
  await refresh();
  if (id === store.state.opened) leave();
}

/** The run on the screen is gone: the newest takes its place. */
function leave() {
  connection?.close();
  connection = null;
  history.replaceState(null, "", location.pathname);
  store.dispatch({ type: "close" });
  void findRun();
}

/** A new run that continues one from a step. @param {string} id @param {number} step @param {Record<string, any>} changes */
async function goOn(id, step, changes) {
  const run = await api.branch(id, step, changes);
  await refresh();
  open(run.id);
}

/** From its first step; a run that has none is made anew. @param {Run} run @param {Record<string, any>} [changes] */
function restart({ id, name, config, loss, step, first_step: first = 0 }, changes = {}) {
  const hasSteps = step > first || loss !== null;
  if (hasSteps) return goOn(id, first, { name, max_steps: config.max_steps, ...changes });
  return create({ ...config, optimizer: { ...config.optimizer, ...changes.optimizer } });
}

/** @param {Run} run */
const again = (run) => attempt(() => restart(run));

/** The same, with shorter steps. @param {Run} run */
const gentler = (run) => attempt(() => restart(run, { optimizer: { lr: gentlerRate(run) } }));

/** Dialogs are fetched when they are first opened. */
const fresh = () =>
  attempt(async () => {
    const [schema, datasets, { openForm }, { fieldsOf }] = await Promise.all([
      api.schema(),
      api.datasets(),
      import("./views/form.js"),
      import("./lib/schema.js"),
    ]);
    openForm({
      fields: fieldsOf(schema, "RunConfig"),
      datasets,
      create: (config) => problemFrom(() => create(config)),
    });
  });

/** A run that goes on from the step on the screen. */
const branch = () =>
  attempt(async () => {
    const { openBranch } = await import("./views/branch.js");
    await openBranch(shown(store.state), {
      api,
      branch: (...from) => problemFrom(() => goOn(...from)),
    });
  });

const help = () => attempt(async () => (await import("./views/help.js")).openHelp());

/** @param {Run[]} runs */
const compare = (runs) =>
  attempt(async () => (await import("./views/compare.js")).openCompare(runs, api));

const list = () =>
  attempt(async () => {
    const { openRuns } = await import("./views/runs.js");
    openRuns(store, {
      open,
      again,
      fresh,
      refresh: () => attempt(refresh),
      remove: (id) => attempt(() => remove(id)),
      compare,
    });
  });

/** What is refused is answered, for the form that asked. @param {() => Promise<void>} act @returns {Promise<Problem|null>} */
const problemFrom = (act) =>
  act().then(
    () => null,
    (error) => problemOf(error),
  );

/** A run's step, once its stream has told what there is. @param {string} id @param {number} step */
function openAt(id, step) {
  open(id);
  const undo = clock.add(() => {
    if (store.state.opened !== id) return void undo();
    if (store.state.run === null || store.state.layout === null) return;
    undo();
    store.dispatch({ type: "visit", step });
  });
}

const actions = {
  runs: () => void list(),
  fresh: () => void fresh(),
  help: () => void help(),
  theme: theme.toggle,
  parent: openAt,
};

const noticeActions = {
  runs: actions.runs,
  new: actions.fresh,
  again: () => store.state.run !== null && void again(store.state.run),
  gentler: () => store.state.run !== null && void gentler(store.state.run),
  play: () => void toggle(store, send),
  dismiss: () => store.dispatch({ type: "dismissNews" }),
};

/** @param {string} id @returns {HTMLElement} */
const place = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {View} view @param {number} [everyMs] */
const show = (view, everyMs) => clock.add(() => view.draw(store.state), everyMs);

/** A card, which draws then or now. @param {View} view @param {number} [everyMs] */
const card = (view, everyMs) => clock.add(() => view.draw(shown(store.state)), everyMs);

/** uPlot, the heaviest part of the page, comes with the first steps. @param {string} id @param {string} heading @param {() => Promise<any>} fetch */
const chart = (id, heading, fetch) =>
  lazyCard.mount(place(id), store, {
    heading,
    text: "Nothing yet: training has not begun.",
    isDue: ({ rows }) => rows !== null && rows.length > 1,
    fetch,
  });

show(bar.mount(place("bar"), store, actions), READ_MS);
show(exporting.mount(place("export"), store), READ_MS);
show(controls.mount(place("transport"), store, send), READ_MS);
show(notice.mount(place("notice"), store, noticeActions), READ_MS);
show(notice.mountToast(place("toast"), store));
card(network.mount(place("network"), store));
show(stepBadge.mount(place("network"), store));
card(fit.mount(place("fit"), store));
card(code.mount(place("code"), store), READ_MS);
card(parameters.mount(place("parameters"), store), READ_MS);
card(inspector.mount(place("inspector"), store), READ_MS);
card(
  chart("loss", "Loss (log)", () => import("./views/loss.js")),
  CHART_MS,
);
card(
  chart("norms", "‖.grad‖ by parameter (log)", () => import("./views/norms.js")),
  CHART_MS,
);
const line = timeline.mount(place("timeline"), store, {
  timeCommands,
  branch: () => void branch(),
});
show(line, READ_MS);
clock.add(() => line.follow(store.state));
clock.onDrawn(() => connection?.drawn());

listen(document, {
  ...timeKeys(timeCommands),
  toggleTraining: () => void toggle(store, send),
  phase: () => void send({ kind: "phase" }),
  help: actions.help,
});
document.addEventListener("keyup", timeCommands.keyReleased);

addEventListener("hashchange", () => follow(addressed()));
addEventListener("online", () => connection?.retry());
document.addEventListener(
  "visibilitychange",
  () => document.visibilityState === "visible" && connection?.retry(),
);

/** The list of runs and the loop's source, as soon as the server answers. */
async function begin() {
  try {
    store.dispatch({ type: "loop", loop: await api.loop() });
    await Promise.all([refresh(), askTorch()]);
  } catch (error) {
    store.dispatch({ type: "problem", problem: problemOf(error) });
    return void setTimer(() => void begin(), RETRY_MS);
  }
  const id = addressed();
  if (id !== null) open(id);
  else await findRun();
}

/** Open the newest run; while there is none, look again: someone else may make one. */
async function findRun() {
  const [newest] = store.state.runs;
  if (newest !== undefined && store.state.opened === undefined) return open(newest.id);
  if (newest === undefined) await refresh().catch(() => undefined); // a server that is away is said when it is needed
  if (store.state.opened === undefined) setTimer(() => void findRun(), RETRY_MS);
}

async function askTorch() {
  const { torch } = await api.health();
  store.dispatch({ type: "health", torch: torch ?? "ready" });
}

/** While a run waits for its trainer: whether it is PyTorch that is being waited for. What fails, the stream says. */
async function watchTorch() {
  if (store.state.run?.state === "starting") await askTorch().catch(() => undefined);
  setTimer(() => void watchTorch(), RETRY_MS);
}

void begin();
void watchTorch();

/** For tests and benchmarks: what is on the screen, and what drawing costs. */
Object.assign(window, {
  livegrad: { store, stats, recordCache: () => stepLoader?.recordCache() ?? null },
});
