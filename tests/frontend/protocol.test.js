import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { numberOf } from "../../frontend/lib/number.js";
import {
  decodeFrame,
  decodeMessage,
  layoutOf,
  ProtocolError,
} from "../../frontend/stream/protocol.js";
import { columns, FLOATS, frame, run } from "./frames.js";

const layout = /** @type {import("../../frontend/types.js").Layout} */ (
  layoutOf(columns(), FLOATS * 4)
);

test("a frame of records gives back its header and a view of its numbers", () => {
  const buffer = frame({ first: 7, count: 3, skipped: 5, time: 1234.5 });
  const { kind, first, count, skipped, epoch, time, values } = decodeFrame(buffer, layout);
  assert.deepEqual(
    { kind, first, count, skipped, epoch, time },
    { kind: "records", first: 7, count: 3, skipped: 5, epoch: 1, time: 1234.5 },
  );
  assert.equal(values.length, 3 * FLOATS);
  assert.equal(values.buffer, buffer);
  assert.equal(values[FLOATS + 4], 8);
});

test("the server's own frames are read as the server wrote them", () => {
  const contract = JSON.parse(
    readFileSync(new URL("../contract/frames.json", import.meta.url), "utf8"),
  );
  const theirs = layoutOf(contract.columns, contract.record_bytes);
  assert.equal(contract.frames.length, 3);
  for (const { bytes, values, ...header } of contract.frames) {
    const { values: read, ...found } = decodeFrame(
      Uint8Array.from(Buffer.from(bytes, "base64")).buffer,
      theirs,
    );
    assert.deepEqual(found, header);
    assert.deepEqual([...read], values.map(numberOf));
  }
});

test("columns and times are taken or refused as the server does", () => {
  const contract = JSON.parse(
    readFileSync(new URL("../contract/frames.json", import.meta.url), "utf8"),
  );
  for (const { what, columns: theirs, is_layout } of contract.layouts) {
    const floats = Math.max(...theirs.map(endOf).filter(Number.isFinite));
    const read = () => layoutOf(theirs, floats * 4);
    if (is_layout) assert.doesNotThrow(read, what);
    else assert.throws(read, { name: "ProtocolError" }, what);
  }
  for (const { time, is_time } of contract.times) {
    const read = () => decodeFrame(frame({ time }), layout);
    if (is_time) assert.doesNotThrow(read, String(time));
    else assert.throws(read, /time/, String(time));
  }
});

/** @param {{offset: number, shape: number[]}} column */
function endOf({ offset, shape }) {
  return offset + shape.reduce((product, n) => product * n, 1);
}

test("a phase frame is told apart, and holds exactly one record", () => {
  assert.equal(decodeFrame(frame({ kind: 2, first: 4 }), layout).kind, "phase");
  assert.throws(
    () => decodeFrame(frame({ kind: 2, count: 2 }), layout),
    /phase frame with 2 records/,
  );
});

test("steps beyond 2^32 are read exactly, beyond 2^53 refused", () => {
  assert.equal(decodeFrame(frame({ first: 2 ** 40 + 1, time: 1 }), layout).first, 2 ** 40 + 1);
  const buffer = frame();
  new DataView(buffer).setBigUint64(8, 2n ** 60n, true);
  assert.throws(() => decodeFrame(buffer, layout), /beyond what a number holds/);
});

test("every damaged header says what is wrong with it", () => {
  /** @type {[RegExp, (view: DataView) => void][]} */
  const damages = [
    [/magic/, (view) => view.setUint16(0, 0x4747, true)],
    [/version 9/, (view) => view.setUint8(2, 9)],
    [/kind 3/, (view) => view.setUint8(3, 3)],
    [/without records/, (view) => view.setUint32(4, 0, true)],
    [/expected/, (view) => view.setUint32(4, 2, true)],
    [/time NaN/, (view) => view.setFloat64(24, NaN, true)],
  ];
  for (const [words, damage] of damages) {
    const buffer = frame();
    damage(new DataView(buffer));
    assert.throws(() => decodeFrame(buffer, layout), { name: "ProtocolError", message: words });
  }
});

test("a frame cut short anywhere is refused", () => {
  const whole = frame({ count: 2 });
  for (let length = 0; length < whole.byteLength; length++) {
    assert.throws(
      () => decodeFrame(whole.slice(0, length), layout),
      ProtocolError,
      `${length} bytes`,
    );
  }
});

test("any flipped bit gives a frame of the same size or a ProtocolError, nothing else", () => {
  const whole = frame({ count: 2 });
  for (let bit = 0; bit < whole.byteLength * 8; bit++) {
    const buffer = whole.slice(0);
    new Uint8Array(buffer)[bit >> 3] ^= 1 << (bit & 7);
    try {
      assert.equal(decodeFrame(buffer, layout).values.length, 2 * FLOATS);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, `bit ${bit}: ${error}`);
    }
  }
});

test("a frame before its columns is refused", () => {
  assert.throws(() => decodeFrame(frame(), null), /before the columns/);
});

test("columns become a layout that pairs each parameter with its gradient", () => {
  assert.equal(layout.floats, FLOATS);
  assert.deepEqual(layout.parameters[2], {
    name: "output_linear.weight",
    shape: [1, 2],
    size: 2,
    value: 7,
    gradient: 14,
  });
  assert.equal(layout.scalars.get("lr"), 2);
  assert.equal(layout.states[0].slot, "momentum_buffer");
});

test("a trainer that is still starting has no columns yet", () => {
  assert.equal(layoutOf([], 0), null);
});

test("columns that do not describe a record are refused", () => {
  /** @type {[RegExp, (list: any[]) => void][]} */
  const damages = [
    [/column role/, (list) => (list[0].role = "mystery")],
    [/does not fit/, (list) => (list[5].offset = FLOATS)],
    [/does not fit/, (list) => (list[5].offset = -1)],
    [/overlap/, (list) => (list[4].offset = list[3].offset)],
    [/no gradient column/, (list) => list.splice(7, 1)],
    [/its gradient/, (list) => (list[7].shape = [1, 1])],
    [/no column for the loss/, (list) => list.splice(0, 1)],
    [/shape of/, (list) => (list[3].shape = [2, -1])],
    [/column name/, (list) => (list[3].name = "")],
    [/not an object/, (list) => (list[3] = null)],
  ];
  for (const [words, damage] of damages) {
    const list = columns();
    damage(list);
    assert.throws(() => layoutOf(list, FLOATS * 4), { name: "ProtocolError", message: words });
  }
  assert.throws(() => layoutOf(columns(), FLOATS * 4 + 2), /record_bytes/);
});

test("messages are read by their kind; kinds added since are left alone", () => {
  const hello = decodeMessage(
    JSON.stringify({
      kind: "hello",
      version: 1,
      run: run(),
      columns: columns(),
      record_bytes: FLOATS * 4,
      dtype: "float32",
    }),
  );
  assert.ok(hello.kind === "hello" && hello.layout?.parameters.length === 4);
  const state = decodeMessage(JSON.stringify({ kind: "state", ...run({ step: 3 }) }));
  assert.ok(state.kind === "state" && state.run.step === 3 && !("kind" in state.run));
  assert.deepEqual(decodeMessage('{"kind": "error", "title": "T", "detail": "D"}'), {
    kind: "error",
    title: "T",
    detail: "D",
  });
  assert.deepEqual(decodeMessage('{"kind": "weather"}'), { kind: "other" });
});

test("what is no message is refused in words", () => {
  const refused = [
    "",
    "nonsense",
    "[]",
    "null",
    "{}",
    '{"kind":"hello","version":2}',
    '{"kind":"hello","version":1,"columns":[]}',
    '{"kind":"state","id":"a","state":"dancing","step":0}',
    '{"kind":"state","id":"a","state":"paused","step":-1}',
  ];
  for (const text of refused) assert.throws(() => decodeMessage(text), ProtocolError, text);
});

test("numbers that JSON cannot write come as text", () => {
  assert.deepEqual(
    [1.5, null, "nan", "inf", "-inf", undefined].map((scalar) =>
      numberOf(/** @type {any} */ (scalar)),
    ),
    [1.5, NaN, NaN, Infinity, -Infinity, NaN],
  );
});
