// The stream of one run: connects, acknowledges what was drawn, connects again by itself, and
// fetches what the stream leaves out. It turns what arrives into actions; knows nothing about
// views.

import { problemOf } from "../api.js";
import { createBackfill } from "./backfill.js";
import { seriesNames } from "./chart_rows.js";
import { decodeFrame, decodeFrames, decodeMessage } from "./protocol.js";

/** @import { Api } from "../api.js" */
/** @import { Action, Layout, Message, Run, SetTimer, Store, ViewerMessage } from "../types.js" */
/** @import { Stats } from "./clock.js" */

const RETRY_MS = { first: 250, most: 5000 };
const POINTS = 800; // of each series of the past
const OPEN = 1; // WebSocket.OPEN; a socket that is closing has a higher state
const NOT_FOUND = 4404; // the server's code for a run that is not there

/**
 * What a connection needs; tests bring their own.
 * @typedef {Object} Dependencies
 * @property {Store} store
 * @property {Pick<Api, "run"|"series"|"data"|"records"|"of">} api
 * @property {Stats} stats
 * @property {(path: string) => WebSocket} open
 * @property {SetTimer} setTimer
 */

/** @typedef {{drawn: () => void, retry: () => void, close: () => void}} Connection */

/** @param {string} id @param {Dependencies} dependencies @returns {Connection} */
export function connect(id, { store, api, stats, open, setTimer }) {
  /** @type {WebSocket|null} */
  let socket = null;
  /** @type {Layout|null} */
  let layout = null;
  /** @type {number[]} steps of frames that were received and not yet drawn */
  let undrawn = [];
  /** The record before a step that was asked for last; a failed call is not repeated for it. */
  let askedBefore = -1;
  /** Whether the series of what came before the first hello are there. */
  let hasPast = false;
  let failures = 0;
  let isClosed = false;
  /** Why the server does not stream the run; the code with which it closes says more. */
  let refusal = /** @type {Message & {kind: "error"}|null} */ (null);

  function attach() {
    if (isClosed || socket !== null) return;
    undrawn = [];
    socket = open(`api/runs/${encodeURIComponent(id)}/stream?flow=ack`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => receive(data);
    socket.onclose = lose;
  }

  /** @param {{code?: number}} [event] */
  function lose({ code } = {}) {
    socket = null;
    undrawn = [];
    if (isClosed) return;
    if (code === NOT_FOUND) return vanish();
    if (refusal !== null) store.dispatch(actionOf(refusal));
    refusal = null;
    if (store.state.connection !== "signed-out")
      store.dispatch({ type: "connection", connection: "lost" });
    const ms = Math.min(RETRY_MS.first * 2 ** failures++, RETRY_MS.most);
    setTimer(attach, ms * (0.75 + Math.random() / 2));
    if (failures > 1) void api.run(id).catch(explain);
  }

  /**
   * A browser does not say why a socket could not be opened; the answer to an ordinary call does.
   * @param {unknown} error
   */
  function explain(error) {
    if (isClosed || failures === 0) return; // connected again meanwhile
    const problem = problemOf(error);
    if (problem.status === 401) return store.dispatch({ type: "problem", problem });
    store.dispatch({ type: "connection", connection: "lost" });
    if (problem.status === 404) vanish();
  }

  /** The run was deleted: it will not come back. */
  function vanish() {
    isClosed = true;
    store.dispatch({ type: "missing", id });
  }

  /** @param {string|ArrayBuffer} data */
  function receive(data) {
    if (isClosed) return;
    const started = performance.now();
    try {
      if (typeof data === "string") read(decodeMessage(data));
      else take(data);
    } catch (error) {
      complain(error);
    }
    stats.received(performance.now() - started);
  }

  /** Say once what could not be read; then connect again. @param {unknown} error */
  function complain(error) {
    const title = "This page could not read a message from the server";
    store.dispatch({ type: "problem", problem: { ...problemOf(error), title } });
    socket?.close();
  }

  /** @param {Message} message */
  function read(message) {
    if (message.kind === "hello") greet(message.run, message.layout);
    if (message.kind === "state") store.dispatch({ type: "state", run: message.run });
    if (message.kind !== "error") return;
    if (message.title === "refused") refusal = message;
    else store.dispatch(actionOf(message));
  }

  /** @param {Run} run @param {Layout|null} columns */
  function greet(run, columns) {
    layout = columns;
    failures = 0;
    store.dispatch({ type: "hello", run, layout });
    if (layout === null) return; // the trainer is still starting; a second hello follows
    if (store.state.data === null) void load(api.data(id), (data) => ({ type: "data", data }));
    const isNew = run.step <= (run.first_step ?? 0);
    if (hasPast) backfill.greeted(run.step);
    else void backfill.begun(run.step, isNew ? Promise.resolve() : loadPast(layout));
    hasPast ||= isNew;
    if (!isNew) void load(api.of(id, "kept"), ({ exact }) => ({ type: "exactRanges", exact }));
  }

  /**
   * The past comes thinned, even of a short run: 4,096 steps are 0.1 MB with the extremes of every
   * line, and 1.4 MB as records. On one machine either takes some 15 ms; over a slow line, or with
   * a wide network, the page would wait. Summaries also outlive records.
   * @param {Layout} columns
   */
  function loadPast(columns) {
    return load(api.series(id, seriesNames(columns), POINTS), (series) => {
      hasPast = true;
      return { type: "pastSeries", series };
    });
  }

  const backfill = createBackfill({
    async exact({ from, to }) {
      const buffer = await api.records(id, from, to);
      const wanted = backfill.wanted(); // without what was trained again meanwhile
      if (isClosed || wanted === null || layout === null) return;
      store.dispatch({ type: "backfillRecords", chunks: decodeFrames(buffer, layout), wanted });
    },
    async thinned(range) {
      if (layout === null) return;
      const series = await api.series(id, seriesNames(layout), POINTS, range);
      const wanted = backfill.wanted();
      if (!isClosed && wanted !== null) store.dispatch({ type: "backfillSeries", series, wanted });
    },
    isAtRest: () => store.state.run?.state !== "running",
    setTimer,
  });

  /** @template T @param {Promise<T>} answer @param {(value: T) => Action} toAction */
  async function load(answer, toAction) {
    try {
      const value = await answer;
      if (!isClosed) store.dispatch(toAction(value));
    } catch (error) {
      if (!isClosed) store.dispatch({ type: "problem", problem: problemOf(error) });
    }
  }

  /** @param {ArrayBuffer} buffer */
  function take(buffer) {
    const frame = decodeFrame(buffer, layout);
    if (frame.kind === "records") backfill.took(frame);
    store.dispatch({ type: "frame", frame });
    stats.stamped(frame.time);
    undrawn.push(frame.first + frame.count - 1);
  }

  function drawn() {
    for (const step of undrawn) send({ kind: "ack", step });
    undrawn = [];
    if (store.state.run?.state !== "running") fetchBefore();
    if (!isClosed) backfill.look();
  }

  /** A socket that is closing takes no more. @param {ViewerMessage} message */
  function send(message) {
    if (socket !== null && !(socket.readyState > OPEN)) socket.send(JSON.stringify(message));
  }

  /**
   * The change Δ of the record on the screen needs the record before it. While training runs, the
   * stream brings it.
   */
  function fetchBefore() {
    const { settled } = store.state;
    const first = store.state.run?.first_step ?? 0;
    if (settled === null || settled.step <= first || settled.before !== null) return;
    const step = settled.step - 1;
    if (askedBefore === step) return;
    askedBefore = step;
    void load(api.records(id, step, step), (buffer) => ({
      type: "recordBefore",
      step,
      values: decodeFrame(buffer, layout).values.slice(),
    }));
  }

  attach();
  return {
    drawn,
    retry: attach,
    close() {
      isClosed = true;
      socket?.close();
    },
  };
}

/** Events of the run that the page shows until they are over; the others are problems. */
const NEWS = ["restarted", "log", "log-again"];

/** @param {{title: string, detail: string}} message @returns {Action} */
function actionOf({ title, detail }) {
  if (NEWS.includes(title)) return { type: "news", title, detail };
  return { type: "problem", problem: { type: "about:blank", status: 0, title, detail } };
}
