// Reads the wire format: bytes and text become values. The counterpart of
// backend/livegrad/protocol.py. Pure: knows nothing about sockets, the page or what the numbers
// mean.

/** @import {
 * Chunk, Column, Frame, Layout, Message, ParameterColumn, Run, RunState,
 * } from "../types.js" */

const END_OF_TIME = 253_402_300_800; // unix seconds: the year 10000
const VERSION = 1;
const MAGIC = 0x474c; // "LG"
const HEADER_BYTES = 32;
const KINDS = /** @type {const} */ ({ 1: "records", 2: "phase" });
/** @type {Column["role"][]} */
const ROLES = ["scalar", "parameter", "gradient", "state"];
/** @type {RunState[]} */
const STATES = ["starting", "paused", "running", "finished", "interrupted", "failed"];

/** A message that does not follow the protocol. */
export class ProtocolError extends Error {
  name = "ProtocolError";
}

/** @param {boolean} fact @param {string} otherwise @returns {asserts fact} */
function expect(fact, otherwise) {
  if (!fact) throw new ProtocolError(otherwise);
}

/**
 * Read one binary frame; its values are a view of the buffer.
 * @param {ArrayBuffer} buffer
 * @param {Layout|null} layout
 * @returns {Frame}
 */
export function decodeFrame(buffer, layout) {
  expect(
    buffer.byteLength >= HEADER_BYTES,
    `frame of ${buffer.byteLength} bytes; a header has ${HEADER_BYTES}`,
  );
  const view = new DataView(buffer);
  const magic = view.getUint16(0, true);
  expect(magic === MAGIC, `magic 0x${magic.toString(16)}; expected 0x${MAGIC.toString(16)}`);
  const version = view.getUint8(2);
  expect(version === VERSION, `protocol version ${version}; this page speaks ${VERSION}`);
  expect(layout !== null, "a frame came before the columns that describe it");
  return { ...header(view), values: payload(buffer, view.getUint32(4, true), layout) };
}

/** @param {DataView} view */
function header(view) {
  const number = view.getUint8(3);
  expect(number === 1 || number === 2, `frame kind ${number}; expected 1 or 2`);
  const count = view.getUint32(4, true);
  const first = view.getBigUint64(8, true);
  const time = view.getFloat64(24, true);
  expect(first <= Number.MAX_SAFE_INTEGER, `step ${first} is beyond what a number holds exactly`);
  expect(time >= 0 && time < END_OF_TIME, `time ${time}; expected unix seconds`);
  expect(number === 1 || count === 1, `a phase frame with ${count} records; expected 1`);
  return {
    kind: KINDS[number],
    count,
    first: Number(first),
    epoch: view.getUint32(16, true),
    skipped: view.getUint32(20, true),
    time,
  };
}

/** @param {ArrayBuffer} buffer @param {number} count @param {Layout} layout */
function payload(buffer, count, layout) {
  const bytes = buffer.byteLength - HEADER_BYTES;
  const expected = count * layout.floats * 4;
  expect(count > 0, "a frame without records");
  expect(
    bytes === expected,
    `${bytes} bytes of records; ${count} × ${layout.floats * 4} = ${expected} expected`,
  );
  return new Float32Array(buffer, HEADER_BYTES, count * layout.floats);
}

/**
 * Read frames that follow each other in one buffer, as `GET /records` answers.
 * @param {ArrayBuffer} buffer
 * @param {Layout} layout
 * @returns {Chunk[]}
 */
export function decodeFrames(buffer, layout) {
  const view = new DataView(buffer);
  const chunks = [];
  for (let at = 0; at < buffer.byteLength; ) {
    // decodeFrame refuses what is shorter than a header.
    const count = buffer.byteLength - at < HEADER_BYTES ? 0 : view.getUint32(at + 4, true);
    const bytes = HEADER_BYTES + count * layout.floats * 4;
    const { first, values } = decodeFrame(buffer.slice(at, at + bytes), layout);
    chunks.push({ first, values });
    at += bytes;
  }
  return chunks;
}

/**
 * Sort the columns of a hello for quick reading; null while there are none yet.
 * @param {Column[]} columns
 * @param {number} recordBytes
 * @returns {Layout|null}
 */
export function layoutOf(columns, recordBytes) {
  expect(Array.isArray(columns), "columns is not a list");
  if (columns.length === 0) return null;
  expect(
    Number.isInteger(recordBytes) && recordBytes > 0 && recordBytes % 4 === 0,
    `record_bytes ${recordBytes}`,
  );
  const floats = recordBytes / 4;
  for (const column of columns) checkColumn(column, floats);
  checkOverlap(columns);
  const of = (/** @type {string} */ role) => columns.filter((column) => column.role === role);
  const scalars = new Map(of("scalar").map((column) => [column.name, column.offset]));
  expect(scalars.has("loss"), "no column for the loss");
  return {
    floats,
    scalars,
    parameters: pair(of("parameter"), of("gradient")),
    states: of("state"),
  };
}

/** @param {Column} column @param {number} floats */
function checkColumn(column, floats) {
  expect(typeof column === "object" && column !== null, "a column is not an object");
  const { role, name, shape, offset } = column;
  expect(
    ROLES.includes(role),
    `column role ${JSON.stringify(role)}; expected one of ${ROLES.join(", ")}`,
  );
  expect(typeof name === "string" && name !== "", `column name ${JSON.stringify(name)}`);
  expect(
    Array.isArray(shape) && shape.every((n) => Number.isInteger(n) && n >= 0),
    `shape of ${name}`,
  );
  const fits = Number.isInteger(offset) && offset >= 0 && offset + sizeOf(shape) <= floats;
  expect(fits, `${role} ${name} at ${offset} does not fit into a record of ${floats}`);
}

/** @param {Column[]} columns */
function checkOverlap(columns) {
  const sorted = [...columns].sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < sorted.length; i++) {
    const [left, right] = [sorted[i - 1], sorted[i]];
    expect(
      left.offset + sizeOf(left.shape) <= right.offset,
      `${left.name} and ${right.name} overlap`,
    );
  }
}

/** @param {number[]} shape */
function sizeOf(shape) {
  return shape.reduce((product, n) => product * n, 1);
}

/** @param {Column[]} parameters @param {Column[]} gradients @returns {ParameterColumn[]} */
function pair(parameters, gradients) {
  const byName = new Map(gradients.map((column) => [column.name, column]));
  return parameters.map(({ name, shape, offset }) => {
    const gradient = byName.get(name);
    expect(gradient !== undefined, `no gradient column for ${name}`);
    expect(
      String(gradient.shape) === String(shape),
      `${name} is [${shape}], its gradient [${gradient.shape}]`,
    );
    return { name, shape, size: sizeOf(shape), value: offset, gradient: gradient.offset };
  });
}

/**
 * Read one text message.
 * @param {string} text
 * @returns {Message}
 */
export function decodeMessage(text) {
  const message = parse(text);
  if (message.kind === "hello") return hello(message);
  if (message.kind === "state") return { kind: "state", run: runOf(message) };
  if (message.kind === "error") {
    return {
      kind: "error",
      title: String(message.title ?? "Error"),
      detail: String(message.detail ?? ""),
    };
  }
  expect(typeof message.kind === "string", "a message without a kind");
  return { kind: "other" };
}

/** @param {string} text @returns {any} */
function parse(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ProtocolError(`not JSON: ${text.slice(0, 60)}`);
  }
  expect(
    typeof value === "object" && value !== null && !Array.isArray(value),
    "a message that is not an object",
  );
  return value;
}

/** @param {any} message @returns {Message} */
function hello(message) {
  expect(
    message.version === VERSION,
    `protocol version ${message.version}; this page speaks ${VERSION}`,
  );
  const { columns, record_bytes: bytes, dtype } = message;
  expect(dtype === undefined || dtype === "float32", `dtype ${dtype}; this page reads float32`);
  return { kind: "hello", run: runOf(message.run), layout: layoutOf(columns, bytes) };
}

/** @param {any} run @returns {Run} */
function runOf(run) {
  expect(typeof run === "object" && run !== null, "a message without its run");
  expect(typeof run.id === "string" && run.id !== "", "a run without an id");
  expect(STATES.includes(run.state), `run state ${JSON.stringify(run.state)}`);
  expect(Number.isSafeInteger(run.step) && run.step >= 0, `step ${run.step}`);
  const { kind, ...rest } = run;
  const list = (/** @type {unknown} */ value) => (Array.isArray(value) ? value : []);
  return { ...rest, allowed: list(run.allowed), grad_states: list(run.grad_states) };
}
