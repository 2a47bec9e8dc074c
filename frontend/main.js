// The composition root: makes each part once, hands it what it needs, and follows the run in the address.
// Knows nothing of its own.

import { api, problemOf } from "./api.js";
import { createClock, createStats } from "./clock.js";
import { createSend, toggle } from "./commands.js";
import { connect } from "./connection.js";
import { listen } from "./keys.js";
import { createStore } from "./store.js";
import { createTheme } from "./theme.js";
import * as bar from "./views/bar.js";
import * as code from "./views/code.js";
import * as controls from "./views/controls.js";
import * as exporting from "./views/export.js";
import * as fit from "./views/fit.js";
import * as inspector from "./views/inspector.js";
import * as loss from "./views/loss.js";
import * as network from "./views/network.js";
import * as norms from "./views/norms.js";
import * as notice from "./views/notice.js";
import { setTheme } from "./views/palette.js";
import * as parameters from "./views/parameters.js";
import * as timeline from "./views/timeline.js";
import { gentlerRate } from "./words.js";
/** @import { Connection } from "./connection.js" */
/** @import { Run, RunConfig, View } from "./types.js" */

/** Nobody reads numbers or charts faster than this; the drawing and the fit follow every frame. */
const READ_MS = 100;
const CHART_MS = 200;
const RETRY_MS = 1000;

const stats = createStats();
const clock = createClock(stats);
const store = createStore(clock.invalidate);
const send = createSend(store, api);
const theme = createTheme(({ dark, reducedMotion }) => {
  setTheme(dark);
  store.dispatch({ type: "surroundings", dark, reducedMotion });
});

/** @type {Connection|null} */
let connection = null;

const socketOf = (/** @type {string} */ path) => new WebSocket(`${location.origin.replace(/^http/, "ws")}${path}`);
const later = (/** @type {() => void} */ callback, /** @type {number} */ ms) => setTimeout(callback, ms);

/** The run that the address names. */
const addressed = () => new URLSearchParams(location.hash.slice(1)).get("run");

/** @param {string|null} id */
function follow(id) {
  if (id === null || id === store.state.opened) return;
  connection?.close();
  store.dispatch({ type: "open", id });
  connection = connect(id, { store, api, stats, open: socketOf, later });
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

/** @param {Run} run */
const again = (run) => attempt(() => create(run.config));

/** The same, with shorter steps. @param {Run} run */
const gentler = (run) =>
  attempt(() => create({ ...run.config, optimizer: { ...run.config.optimizer, lr: gentlerRate(run) } }));

/** Dialogs are fetched when they are first opened. */
const fresh = () =>
  attempt(async () => {
    const [schema, datasets, { openForm }, { fieldsOf }] = await Promise.all([
      api.schema(),
      api.datasets(),
      import("./views/form.js"),
      import("./schema.js"),
    ]);
    openForm({ fields: fieldsOf(schema, "RunConfig"), datasets, create: tryCreate });
  });

const help = () => attempt(async () => (await import("./views/help.js")).openHelp());

const list = () =>
  attempt(async () => {
    const { openRuns } = await import("./views/runs.js");
    openRuns(store, { open, again, fresh, refresh: () => attempt(refresh), remove: (id) => attempt(() => remove(id)) });
  });

/** @param {Partial<RunConfig>} config */
async function tryCreate(config) {
  return create(config).then(
    () => null,
    (error) => problemOf(error),
  );
}

const doors = { runs: () => void list(), fresh: () => void fresh(), help: () => void help(), theme: theme.toggle };

const acts = {
  runs: doors.runs,
  new: doors.fresh,
  again: () => store.state.run !== null && void again(store.state.run),
  gentler: () => store.state.run !== null && void gentler(store.state.run),
  play: () => void toggle(store, send),
};

/** @param {string} id @returns {HTMLElement} */
const place = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {View} view @param {number} [everyMs] */
const show = (view, everyMs) => clock.add(() => view.draw(store.state), everyMs);

show(bar.mount(place("bar"), store, doors), READ_MS);
show(exporting.mount(place("export"), store), READ_MS);
show(controls.mount(place("transport"), store, send), READ_MS);
show(notice.mount(place("notice"), store, acts), READ_MS);
show(notice.mountToast(place("toast"), store));
show(network.mount(place("network"), store));
show(fit.mount(place("fit"), store));
show(code.mount(place("code"), store), READ_MS);
show(parameters.mount(place("parameters"), store), READ_MS);
show(inspector.mount(place("inspector"), store), READ_MS);
show(loss.mount(place("loss"), store), CHART_MS);
show(norms.mount(place("norms"), store), CHART_MS);
show(timeline.mount(place("timeline"), store), CHART_MS);
clock.onDrawn(() => connection?.drawn());

listen(document, {
  toggle: () => void toggle(store, send),
  step: () => void send({ kind: "step", count: 1 }),
  phase: () => void send({ kind: "phase" }),
  help: doors.help,
  free: () => store.dispatch({ type: "pin", target: null }),
});

addEventListener("hashchange", () => follow(addressed()));
addEventListener("online", () => connection?.retry());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && connection?.retry());

/** The list of runs and the loop's source, as soon as the server answers. */
async function begin() {
  try {
    store.dispatch({ type: "listing", listing: await api.loop() });
    await Promise.all([refresh(), askTorch()]);
  } catch (error) {
    store.dispatch({ type: "problem", problem: problemOf(error) });
    return void later(() => void begin(), RETRY_MS);
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
  if (store.state.opened === undefined) later(() => void findRun(), RETRY_MS);
}

async function askTorch() {
  const { torch } = await api.health();
  store.dispatch({ type: "health", torch: torch ?? "ready" });
}

/** While a run waits for its trainer: whether it is PyTorch that is being waited for. What fails, the stream says. */
async function watchTorch() {
  if (store.state.run?.state === "starting") await askTorch().catch(() => undefined);
  later(() => void watchTorch(), RETRY_MS);
}

void begin();
void watchTorch();

/** For tests and benchmarks: what is on the screen, and what drawing costs. */
Object.assign(window, { livegrad: { store, stats } });
