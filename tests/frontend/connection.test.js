import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../frontend/api.js";
import { createStore } from "../../frontend/store.js";
import { createStats } from "../../frontend/stream/clock.js";
import { connect } from "../../frontend/stream/connection.js";
import { columns, FLOATS, frame, run } from "./frames.js";

/** A server at arm's length: sockets and timers that the test moves by hand. */
function fakeServer({ answers = {} } = {}) {
  /** @type {any[]} */
  const sockets = [];
  /** @type {{callback: () => void, ms: number}[]} */
  const timers = [];
  /** @type {string[]} */
  const asked = [];
  const ask =
    (/** @type {string} */ name, /** @type {() => any} */ answer) =>
    async (/** @type {any[]} */ ...rest) => {
      asked.push([name, ...rest.slice(1)].join(" "));
      return answer();
    };
  const api = {
    run: ask("run", () => run()),
    series: ask("series", () => []),
    data: ask("data", () => ({ train: { x: [1], y: [1] } })),
    of: ask("of", () => ({ exact: [[0, 5]] })),
    records: ask("records", () => frame({ first: 4 })),
    ...answers,
  };
  const store = createStore(() => {});
  const world = {
    store,
    api: /** @type {any} */ (api),
    stats: createStats(),
    open(/** @type {string} */ path) {
      const socket = {
        path,
        sent: /** @type {any[]} */ ([]),
        send: (/** @type {string} */ text) => socket.sent.push(JSON.parse(text)),
        close: () => {},
      };
      sockets.push(socket);
      return /** @type {any} */ (socket);
    },
    setTimer: (/** @type {() => void} */ callback, /** @type {number} */ ms) =>
      timers.push({ callback, ms }),
  };
  return { world, sockets, timers, asked, store };
}

/** @param {any} socket @param {any} [changes] */
function greet(socket, changes = {}) {
  const hello = {
    kind: "hello",
    version: 1,
    run: run(changes),
    columns: columns(),
    record_bytes: FLOATS * 4,
    dtype: "float32",
  };
  socket.onmessage({ data: JSON.stringify(hello) });
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

test("frames are acknowledged once they are drawn, not before, each once", () => {
  const { world, sockets, store } = fakeServer();
  const connection = connect("a", world);
  greet(sockets[0]);
  sockets[0].onmessage({ data: frame({ first: 1, count: 3 }) });
  sockets[0].onmessage({ data: frame({ first: 4 }) });
  assert.equal(store.state.moment?.step, 4);
  assert.deepEqual(sockets[0].sent, []);
  connection.drawn();
  connection.drawn();
  assert.deepEqual(sockets[0].sent, [
    { kind: "ack", step: 3 },
    { kind: "ack", step: 4 },
  ]);
  assert.equal(sockets[0].path, "api/runs/a/stream?flow=ack");
});

test("a lost connection is said, tried again with growing patience, and comes back", () => {
  const { world, sockets, timers, store } = fakeServer();
  connect("a", world);
  greet(sockets[0]);
  for (let i = 0; i < 8; i++) {
    sockets[i].onclose();
    assert.equal(store.state.connection, "lost");
    timers[i].callback();
  }
  assert.ok(timers[7].ms > timers[0].ms && timers[7].ms <= 5000 * 1.25);
  greet(sockets[8]);
  assert.equal(store.state.connection, "open");
  sockets[8].onclose();
  assert.ok(timers[8].ms <= 250 * 1.25, "patience begins anew");
});

test("a frame of the lost connection is not acknowledged to the next one", () => {
  const { world, sockets, timers } = fakeServer();
  const connection = connect("a", world);
  greet(sockets[0]);
  sockets[0].onmessage({ data: frame({ first: 1 }) });
  sockets[0].onclose();
  timers[0].callback();
  connection.drawn();
  assert.deepEqual(sockets[1].sent, []);
});

test("a refusal is a problem, unless its code says that the run is not there", () => {
  for (const [code, missing, title] of /** @type {[number, string|null, string|undefined][]} */ ([
    [4429, null, "refused"],
    [4404, "a", undefined],
  ])) {
    const { world, sockets, store } = fakeServer();
    connect("a", world);
    const refusal = { kind: "error", title: "refused", detail: "no" };
    sockets[0].onmessage({ data: JSON.stringify(refusal) });
    sockets[0].onclose({ code });
    assert.deepEqual([store.state.missing, store.state.problem?.title], [missing, title]);
  }
});

test("a run that was deleted is not waited for", async () => {
  const gone = new Refusal({ type: "about:blank", title: "Not Found", status: 404, detail: "" });
  const { world, sockets, timers, store } = fakeServer({
    answers: { run: async () => Promise.reject(gone) },
  });
  connect("a", world);
  sockets[0].onclose();
  timers[0].callback();
  sockets[1].onclose();
  await settle();
  assert.equal(store.state.missing, "a");
  timers[1].callback();
  assert.equal(sockets.length, 2);
});

test("the record before the shown one is fetched once, and only at rest", async () => {
  const { world, sockets, asked, store } = fakeServer();
  const connection = connect("a", world);
  greet(sockets[0], { state: "running", step: 4 });
  sockets[0].onmessage({ data: frame({ first: 5 }) });
  connection.drawn();
  assert.ok(!asked.some((call) => call.startsWith("record")));
  sockets[0].onmessage({ data: JSON.stringify({ kind: "state", ...run({ step: 5 }) }) });
  connection.drawn();
  connection.drawn();
  await settle();
  assert.deepEqual(
    asked.filter((call) => call.startsWith("record")),
    ["records 4 4"],
  );
  assert.equal(store.state.moment?.before?.[3], 4);
});

/** @param {import("../../frontend/types.js").ChartRows|null} rows */
const stepsOf = (rows) => [...(rows?.steps.subarray(0, rows.length) ?? [])];
/** @param {number} from @param {number} to */
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
/**
 * Answers with every record that is asked for.
 * @param {string} _
 * @param {number} from
 * @param {number} to
 */
const all = async (_, from, to) => frame({ first: from, count: to - from + 1 });

/**
 * Until every answer is in, however many promises it goes through.
 * @param {() => boolean} isThere
 */
async function arrived(isThere) {
  for (let i = 0; i < 200 && !isThere(); i++) await settle();
  assert.ok(isThere());
}

test("steps that were left out are fetched, every one, and stand in their places", async () => {
  const { world, sockets, store } = fakeServer({ answers: { records: all } });
  const connection = connect("a", world);
  greet(sockets[0], { state: "running" });
  await settle();
  sockets[0].onmessage({ data: frame({ first: 0, count: 100 }) });
  sockets[0].onmessage({ data: frame({ first: 900, skipped: 800 }) });
  connection.drawn();
  sockets[0].onmessage({ data: frame({ first: 901 }) });
  await arrived(() => store.state.rows?.length === 902);
  assert.deepEqual(stepsOf(store.state.rows), range(0, 901));
  assert.equal(store.state.rows?.loss[500], Math.fround(100 / 501));
});

test("after a lost connection exactly the missed steps are fetched", async () => {
  const { world, sockets, timers, store } = fakeServer({ answers: { records: all } });
  connect("a", world);
  greet(sockets[0], { state: "running" });
  await settle();
  sockets[0].onmessage({ data: frame({ first: 0, count: 10 }) });
  sockets[0].onclose();
  timers[0].callback();
  greet(sockets[1], { state: "running", step: 40 });
  sockets[1].onmessage({ data: frame({ first: 40 }) });
  sockets[1].onmessage({ data: frame({ first: 41, count: 5 }) });
  await arrived(() => store.state.rows?.length === 46);
  assert.deepEqual(stepsOf(store.state.rows), range(0, 45));
});

test("a viewer that always skips fetches once, and a long range only at rest", async () => {
  const { world, sockets, timers, asked } = fakeServer({ answers: {} });
  const calls = (/** @type {string} */ name) =>
    asked.filter((call) => call.startsWith(name)).length;
  const connection = connect("a", world);
  greet(sockets[0], { state: "running" });
  await settle();
  for (let first = 500; first < 500_000; first += 500) {
    sockets[0].onmessage({ data: frame({ first, skipped: 499 }) });
    connection.drawn();
  }
  await arrived(() => timers.length === 1);
  assert.equal(calls("records"), 1);
  timers[0].callback();
  connection.drawn();
  await settle();
  assert.deepEqual([calls("records"), calls("series")], [1, 0]);
  sockets[0].onmessage({ data: JSON.stringify({ kind: "state", ...run({ step: 499_500 }) }) });
  connection.drawn();
  connection.drawn();
  assert.equal(calls("series"), 1);
});

test("what was written anew while its old records were fetched is not put back", async () => {
  const { world, sockets, store } = fakeServer({ answers: { records: all } });
  const connection = connect("a", world);
  greet(sockets[0], { state: "running" });
  await settle();
  sockets[0].onmessage({ data: frame({ first: 50, skipped: 49 }) });
  connection.drawn();
  sockets[0].onmessage({ data: frame({ first: 21, count: 2 }) });
  await arrived(() => (store.state.rows?.length ?? 0) > 20);
  assert.deepEqual(stepsOf(store.state.rows), range(1, 22));
});

test("a run that was left gets nothing of what was fetched for it", async () => {
  const { world, sockets, store } = fakeServer({ answers: { records: all } });
  const connection = connect("a", world);
  greet(sockets[0], { state: "running" });
  await settle();
  sockets[0].onmessage({ data: frame({ first: 50, skipped: 49 }) });
  connection.drawn();
  connection.close();
  for (let i = 0; i < 20; i++) await settle();
  assert.deepEqual(stepsOf(store.state.rows), [50]);
});

test("on attaching to a run with a past, its series and its data are loaded", async () => {
  const { world, sockets, asked, store } = fakeServer();
  connect("a", world);
  greet(sockets[0], { step: 9 });
  await settle();
  assert.ok(
    asked.some((call) =>
      call.startsWith("series loss,validation_loss,gradient_norm/hidden_linear.weight"),
    ),
  );
  assert.deepEqual(store.state.data?.train.x, [1]);
});

test("a trainer that is still starting greets twice; the second time with columns", () => {
  const { world, sockets, asked, store } = fakeServer();
  connect("a", world);
  sockets[0].onmessage({
    data: JSON.stringify({
      kind: "hello",
      version: 1,
      run: run({ state: "starting" }),
      columns: [],
      record_bytes: 0,
    }),
  });
  assert.equal(store.state.layout, null);
  assert.deepEqual(asked, [], "its data is not there yet either");
  greet(sockets[0]);
  sockets[0].onmessage({ data: frame({ first: 0 }) });
  assert.equal(store.state.moment?.step, 0);
});

test("what is not understood is said and the stream starts afresh", () => {
  const { world, sockets, store } = fakeServer();
  connect("a", world);
  let closed = 0;
  sockets[0].close = () => closed++;
  sockets[0].onmessage({ data: frame({ first: 1 }) });
  assert.match(store.state.problem?.detail ?? "", /before the columns/);
  assert.equal(closed, 1);
});

test("after close nothing of it reaches the page", () => {
  const { world, sockets, timers, store } = fakeServer();
  connect("a", world).close();
  greet(sockets[0]);
  sockets[0].onclose();
  assert.equal(store.state.run, null);
  assert.equal(timers.length, 0);
});
