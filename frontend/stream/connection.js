// One run's stream: attaches, acknowledges what was drawn, comes back by itself, fetches what the stream leaves out.
// Knows nothing about views; it turns what arrives into actions.

import { problemOf } from "../api.js";
import { createBackfill } from "./backfill.js";
import { seriesNames } from "./chart_rows.js";
import { decodeFrame, decodeMessage } from "./protocol.js";

/** @import { Api } from "../api.js" */
/** @import { Layout, Store } from "../types.js" */
/** @import { Stats } from "./clock.js" */

const RETRY_MS = { first: 250, most: 5000 };
const POINTS = 800; // of each series of the past

/**
 * The world around a connection; tests bring their own.
 * @typedef {Object} Dependencies
 * @property {Store} store
 * @property {Pick<Api, "run"|"series"|"data"|"records"|"of">} api
 * @property {Stats} stats
 * @property {(path: string) => WebSocket} open
 * @property {(callback: () => void, ms: number) => unknown} setTimer
 */

/** @typedef {{drawn: () => void, retry: () => void, close: () => void}} Connection */

/** @param {string} id @param {Dependencies} dependencies @returns {Connection} */
export function connect(id, { store, api, stats, open, setTimer }) {
  /** @type {WebSocket|null} */
  let socket = null;
  /** @type {Layout|null} */
  let layout = null;
  /** @type {number[]} steps of frames that are received and not yet drawn */
  let undrawn = [];
  /** The step whose predecessor was asked for last; a failed call is not repeated before the next step. */
  let askedBefore = -1;
  /** Whether the series of what was before the first greeting are there. */
  let hasPast = false;
  let failures = 0;
  let isClosed = false;

  function attach() {
    if (isClosed || socket !== null) return;
    undrawn = [];
    socket = open(`api/runs/${encodeURIComponent(id)}/stream?flow=ack`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => receive(data);
    socket.onclose = lose;
  }

  function lose() {
    socket = null;
    undrawn = [];
    if (isClosed) return;
    store.dispatch({ type: "connection", connection: "lost" });
    const ms = Math.min(RETRY_MS.first * 2 ** failures++, RETRY_MS.most);
    setTimer(attach, ms * (0.75 + Math.random() / 2));
    if (failures > 1) void api.run(id).catch(giveUpOn);
  }

  /** Twice lost: a run that was deleted will not come back. @param {unknown} error */
  function giveUpOn(error) {
    if (isClosed || problemOf(error).status !== 404) return;
    isClosed = true;
    store.dispatch({ type: "missing", id });
  }

  /** @param {string|ArrayBuffer} data */
  function receive(data) {
    if (isClosed) return;
    const started = performance.now();
    try {
      if (typeof data === "string") read(data);
      else take(data);
    } catch (error) {
      complain(error);
    }
    stats.received(performance.now() - started);
  }

  /** What is not understood is said once; the stream starts afresh. @param {unknown} error */
  function complain(error) {
    const problem = {
      ...problemOf(error),
      title: "The stream says something this page does not understand",
    };
    store.dispatch({ type: "problem", problem });
    socket?.close();
  }

  /** @param {string} text */
  function read(text) {
    const message = decodeMessage(text);
    if (message.kind === "hello") greet(message);
    if (message.kind === "state") store.dispatch({ type: "state", run: message.run });
    if (message.kind === "error") store.dispatch(eventOf(message));
  }

  /** @param {{run: import("../types.js").Run, layout: Layout|null}} hello */
  function greet(hello) {
    layout = hello.layout;
    failures = 0;
    store.dispatch({ type: "hello", run: hello.run, layout });
    if (layout === null) return; // the trainer is still starting: it will greet again
    if (store.state.data === null) void load(api.data(id), (data) => ({ type: "data", data }));
    const isNew = hello.run.step <= (hello.run.first_step ?? 0);
    if (hasPast) backfill.greeted(hello.run.step);
    else void backfill.begun(hello.run.step, isNew ? Promise.resolve() : loadPast(layout));
    hasPast ||= isNew;
    if (!isNew) void load(api.of(id, "kept"), keptOf);
  }

  /**
   * Thinned, a short run's too: 4,096 steps are 0.1 MB with every line's extremes, and 1.4 MB as records. On one machine
   * either takes some 15 ms; over a slow line, or of a wide network, the page would wait. Digests also outlive records.
   * @param {Layout} of
   */
  function loadPast(of) {
    return load(api.series(id, seriesNames(of), POINTS), (series) => {
      hasPast = true;
      return { type: "pastSeries", series };
    });
  }

  const backfill = createBackfill({
    async exact({ from, to }) {
      const [{ chunksOf }, buffer] = await Promise.all([
        import("../time/http_source.js"),
        api.records(id, from, to),
      ]);
      if (layout !== null) fill({ chunks: chunksOf(buffer, layout) });
    },
    async thinned(range) {
      if (layout !== null)
        fill({ series: await api.series(id, seriesNames(layout), POINTS, range) });
    },
    isAtRest: () => store.state.run?.state !== "running",
    setTimer,
  });

  /** What was written anew meanwhile is not wanted any more. @param {{chunks?: any[], series?: any[]}} found */
  function fill(found) {
    const wanted = backfill.wanted();
    if (!isClosed && wanted !== null) store.dispatch({ type: "backfill", ...found, wanted });
  }

  /** @template T @param {Promise<T>} answer @param {(value: T) => import("../types.js").Action} actionOf */
  async function load(answer, actionOf) {
    try {
      const value = await answer;
      if (!isClosed) store.dispatch(actionOf(value));
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
    for (const step of undrawn) socket?.send(JSON.stringify({ kind: "ack", step }));
    undrawn = [];
    if (store.state.run?.state !== "running") fetchBefore();
    if (!isClosed) backfill.look();
  }

  /** The change Δ of the record on the screen needs the one before; while training runs the stream brings it. */
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

/** @param {{exact: [number, number][]}} answer */
const keptOf = ({ exact }) => ({ type: "exactRanges", exact });

/** Events of the run's that are told beside it until they are over; the rest are problems. */
const NEWS = ["restarted", "log", "log-again"];

/** @param {{title: string, detail: string}} message @returns {import("../types.js").Action} */
function eventOf({ title, detail }) {
  if (NEWS.includes(title)) return { type: "news", title, detail };
  return { type: "problem", problem: { type: "about:blank", status: 0, title, detail } };
}
