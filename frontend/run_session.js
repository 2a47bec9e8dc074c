// Which run is on the screen: opens runs, creates, restarts, continues and deletes them, and
// follows
// the run in the page's address. Knows nothing about views.

import { problemOf } from "./api.js";
import { connect } from "./stream/connection.js";
import { gentlerRate } from "./texts.js";

/** @import { Api } from "./api.js" */
/** @import { Clock, Stats } from "./stream/clock.js" */
/** @import { Connection } from "./stream/connection.js" */
/** @import { Problem, Run, RunConfig, SetTimer, State, Store } from "./types.js" */

const RETRY_MS = 1000;

/** @typedef {ReturnType<typeof createRunSession>} RunSession */

/**
 * @param {{store: Store, api: Api, clock: Clock, stats: Stats, setTimer: SetTimer}} dependencies
 */
export function createRunSession({ store, api, clock, stats, setTimer }) {
  /** @type {Connection|null} */
  let connection = null;

  /** @param {string} id */
  function open(id) {
    history.replaceState(null, "", `#run=${encodeURIComponent(id)}`);
    follow(id);
  }

  /** @param {string|null} id */
  function follow(id) {
    if (id === null || id === store.state.opened) return;
    connection?.close();
    store.dispatch({ type: "open", id });
    connection = connect(id, { store, api, stats, open: openSocket, setTimer });
  }

  /**
   * Open a run at a step, once its stream has said which steps there are.
   * @param {string} id
   * @param {number} step
   */
  function openAt(id, step) {
    open(id);
    const undo = clock.add(() => {
      if (store.state.opened !== id) return void undo();
      if (store.state.run === null || store.state.layout === null) return;
      undo();
      store.dispatch({ type: "visit", step });
    });
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

  /**
   * A new run that continues one from a step.
   * @param {string} id
   * @param {number} step
   * @param {Record<string, any>} changes
   */
  async function branch(id, step, changes) {
    const run = await api.branch(id, step, changes);
    await refresh();
    open(run.id);
  }

  /**
   * A new run with the same start. A run without steps is created anew; any other is continued from
   * its first step.
   * @param {Run} run
   * @param {Record<string, any>} [changes]
   */
  async function restart({ id, name, config, loss, step, first_step: first = 0 }, changes = {}) {
    if (config === null) throw new Error("The configuration of this run cannot be read.");
    const hasSteps = step > first || loss !== null;
    if (hasSteps) return branch(id, first, { name, max_steps: config.max_steps, ...changes });
    return create({ ...config, optimizer: { ...config.optimizer, ...changes.optimizer } });
  }

  /** @param {string} id */
  async function remove(id) {
    const isHere = id === store.state.opened;
    // First, so that nothing asks for a run that is no longer there.
    if (isHere) leave();
    try {
      await api.deleteRun(id);
    } catch (error) {
      if (isHere) open(id);
      throw error;
    }
    await refresh();
    if (isHere) void openNewest();
  }

  /** The run on the screen is about to be deleted: the newest will take its place. */
  function leave() {
    connection?.close();
    connection = null;
    history.replaceState(null, "", location.pathname);
    store.dispatch({ type: "close" });
  }

  /** Open the newest run. While there is none, look again: someone else may create one. */
  async function openNewest() {
    const [newest] = store.state.runs;
    if (newest !== undefined && store.state.opened === undefined) return open(newest.id);
    if (newest === undefined) await attempt(refresh);
    if (store.state.opened === undefined) setTimer(() => void openNewest(), RETRY_MS);
  }

  /** Show what was refused on the page. @param {() => Promise<void>} act */
  async function attempt(act) {
    const problem = await problemFrom(act());
    if (problem !== null) store.dispatch({ type: "problem", problem });
  }

  async function askTorch() {
    const { torch } = await api.health();
    store.dispatch({ type: "health", torch: torch ?? "ready" });
  }

  /** While a run waits for its trainer, ask whether PyTorch is still being imported. */
  async function watchTorch() {
    // A server that does not answer is reported by the stream.
    if (store.state.run?.state === "starting") await askTorch().catch(() => undefined);
    setTimer(() => void watchTorch(), RETRY_MS);
  }

  /** Load the list of runs and the loop's source as soon as the server answers; open a run. */
  async function load() {
    try {
      store.dispatch({ type: "loop", loop: await api.loop() });
      await Promise.all([refresh(), askTorch()]);
    } catch (error) {
      store.dispatch({ type: "problem", problem: problemOf(error) });
      return void setTimer(() => void load(), RETRY_MS);
    }
    const id = addressedRun();
    if (id !== null) open(id);
    else await openNewest();
  }

  return {
    open,
    openAt,
    create,
    branch,
    remove,
    refresh,
    attempt,
    /** @param {Run} run */
    again: (run) => attempt(() => restart(run)),
    /** The same run with a smaller learning rate. @param {Run} run */
    gentler: (run) => attempt(() => restart(run, { optimizer: { lr: gentlerRate(run) } })),
    /** From the last step that is all finite, with a smaller learning rate. @param {State} state */
    async goOnGentler({ run, nonfinite }) {
      const step = nonfinite?.finite ?? null;
      if (run === null || step === null) return;
      await attempt(() => branch(run.id, step, { optimizer: { lr: gentlerRate(run) } }));
    },
    followAddress: () => follow(addressedRun()),
    drawn: () => connection?.drawn(),
    retry: () => connection?.retry(),
    start() {
      void load();
      void watchTorch();
    },
  };
}

/** What went wrong; null: nothing. @param {Promise<void>} act @returns {Promise<Problem|null>} */
export const problemFrom = (act) => act.then(() => null, problemOf);

/** The run that the page's address names. */
const addressedRun = () => new URLSearchParams(location.hash.slice(1)).get("run");

/**
 * Relative to the page, as every address is: a proxy may serve the page below a prefix.
 * @param {string} path
 */
const openSocket = (path) => new WebSocket(new URL(path, document.baseURI.replace(/^http/, "ws")));
