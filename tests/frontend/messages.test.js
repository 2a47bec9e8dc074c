// The messages that the server really sends and accepts, as tests/contract/messages.json has them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { initialState, reduce } from "../../frontend/store.js";
import { createStats } from "../../frontend/stream/clock.js";
import { connect } from "../../frontend/stream/connection.js";
import { decodeMessage } from "../../frontend/stream/protocol.js";
import { frame, run } from "./frames.js";

/** @import { Run } from "../../frontend/types.js" */

const contract = JSON.parse(
  readFileSync(new URL("../contract/messages.json", import.meta.url), "utf8"),
);

/** @param {string} what */
const example = (what) =>
  contract.server.find((/** @type {any} */ one) => one.what === what).message;

/** @param {string} what */
const read = (what) => decodeMessage(JSON.stringify(example(what)));

test("every message of the server is read as the kind that it is", () => {
  for (const { what, message } of contract.server) {
    const { kind } = decodeMessage(JSON.stringify(message));
    assert.equal(kind, message.kind, what);
  }
});

test("a hello without columns has no layout; the second one has", () => {
  const first = read("hello, while the trainer starts");
  const second = read("hello, with columns");
  assert.ok(first.kind === "hello" && second.kind === "hello");
  assert.equal(first.layout, null);
  assert.equal(second.layout?.parameters.length, 4);
  assert.equal(second.layout.floats * 4, example("hello, with columns").record_bytes);
});

test("a run arrives with every field that the page's type names", () => {
  const message = read("hello, with columns");
  assert.ok(message.kind === "hello");
  /** @type {Required<Run>} */
  const fields = {
    ...run(),
    validation_loss: null,
    created_at: "",
    epoch: 1,
    first_step: 0,
    parent: null,
  };
  assert.deepEqual(Object.keys(message.run).sort(), Object.keys(fields).sort());
  assert.deepEqual(message.run, example("hello, with columns").run);
});

test("a state says where inside an iteration the loop is", () => {
  const hello = read("hello, with columns");
  const message = read("state, inside an iteration");
  assert.ok(hello.kind === "hello" && message.kind === "state");
  const greeted = reduce(initialState(), {
    type: "hello",
    run: hello.run,
    layout: hello.layout,
  });
  const state = reduce(greeted, { type: "state", run: message.run });
  assert.equal(state.run?.phase, "backward");
  assert.deepEqual(state.run.grad_states, ["fresh", "fresh", "stale", "none"]);
  assert.equal(state.run.loss, "inf");
});

test("what the page sends is what the server accepts", () => {
  /** @type {any[]} */
  const sent = [];
  const socket = {
    onmessage: (/** @type {any} */ _) => {},
    send: (/** @type {string} */ text) => sent.push(JSON.parse(text)),
  };
  const store = {
    state: initialState(),
    dispatch(/** @type {any} */ action) {
      store.state = reduce(store.state, action);
    },
  };
  const connection = connect("a", {
    store,
    stats: createStats(),
    open: () => /** @type {any} */ (socket),
    setTimer: () => {},
    api: /** @type {any} */ ({ data: async () => null, of: async () => ({ exact: [] }) }),
  });
  const hello = example("hello, with columns");
  socket.onmessage({ data: JSON.stringify({ ...hello, run: { ...hello.run, step: 0 } }) });
  socket.onmessage({ data: frame({ first: 0, floats: hello.record_bytes / 4 }) });
  connection.drawn();
  assert.deepEqual(sent, [{ kind: "ack", step: 0 }]);
  const { is_accepted } = contract.viewer.find(
    (/** @type {any} */ { message }) => JSON.stringify(message) === JSON.stringify(sent[0]),
  );
  assert.ok(is_accepted);
});
