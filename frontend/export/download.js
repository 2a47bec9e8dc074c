// Downloads a file, from the server or made in the page, and reports its progress. Knows nothing
// about what is in it.

/** Pieces of this size become Blobs, which the browser keeps outside the page's memory. */
const PIECE_BYTES = 8 * 1024 * 1024;
const PROGRESS_MS = 100;
const POLL_MS = 300;
const NEWLINE = 10;

/**
 * @typedef {Object} Progress
 * @property {number} bytes
 * @property {number} rows so far
 * @property {number|null} total most rows that may come; null: unknown
 */

/**
 * What the server says about an export that is under way.
 * @typedef {Object} ExportProgress
 * @property {string} state
 * @property {number} rows_done
 * @property {number|null} rows
 * @property {string|null} detail
 */

/**
 * Fetch a file and report its progress.
 * @param {string} url
 * @param {{onProgress: (progress: Progress) => void, signal: AbortSignal}} options
 * @returns {Promise<{blob: Blob, name: string}>} Throws an Error with the server's own message.
 */
export async function fetchFile(url, { onProgress, signal }) {
  const answer = await fetch(url, { signal }).catch(broken);
  if (!answer.ok) throw new Error(await refusal(answer));
  const kind = answer.headers.get("content-type") ?? "";
  const pieces = new Pieces(kind);
  const announced = Number(answer.headers.get("livegrad-rows"));
  const isText = kind.startsWith("text/csv");
  const progress = { bytes: 0, rows: 0, total: isText && announced > 0 ? announced : null };
  let reportedAt = -Infinity;
  let lines = 0;
  for await (const chunk of decodeFrames(answer)) {
    pieces.add(chunk);
    progress.bytes += chunk.byteLength;
    if (isText) lines += linesIn(chunk);
    progress.rows = Math.max(0, lines - 1); // the first line has the names
    if (performance.now() - reportedAt < PROGRESS_MS) continue;
    reportedAt = performance.now();
    onProgress({ ...progress });
  }
  onProgress({ ...progress });
  return { blob: pieces.blob(), name: nameIn(answer) };
}

/**
 * Fetch a file that the server takes long to make, and ask for its progress meanwhile.
 * @param {string} path without a query
 * @param {string} run the run's own path, under which the server reports progress
 * @param {{onProgress: (progress: Progress) => void, signal: AbortSignal}} options
 * @returns {Promise<{blob: Blob, name: string}>} Throws an Error with the server's own message.
 */
export async function fetchLong(path, run, { onProgress, signal }) {
  const token = randomToken();
  const place = `${run}/progress/${token}`;
  const done = new AbortController();
  let latest = /** @type {Progress} */ ({ bytes: 0, rows: 0, total: null });
  const update = (/** @type {Partial<Progress>} */ news) => {
    latest = { ...latest, ...news };
    onProgress(latest);
  };
  let isCounted = false; // rows are counted as they arrive, which only text allows
  const onBytes = (/** @type {Progress} */ { bytes, rows, total }) => {
    isCounted = total !== null;
    update(isCounted ? { bytes, rows, total } : { bytes });
  };
  const onServerProgress = (/** @type {ExportProgress} */ { rows_done, rows }) => {
    if (!isCounted) update({ rows: rows_done, total: rows });
  };
  void follow(place, onServerProgress, AbortSignal.any([signal, done.signal]));
  try {
    const file = await fetchFile(`${path}?progress=${token}`, { onProgress: onBytes, signal });
    if (!isCounted && latest.total !== null) update({ rows: latest.total });
    return file;
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    const last = await ask(place, signal).catch(() => null);
    throw last?.state === "failed" ? new Error(last.detail ?? "the server failed") : error;
  } finally {
    done.abort();
  }
}

/**
 * @param {string} place
 * @param {(progress: ExportProgress) => void} onProgress
 * @param {AbortSignal} signal
 */
async function follow(place, onProgress, signal) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (signal.aborted) return;
    // The file itself may still come when its progress cannot be asked for.
    const progress = await ask(place, signal).catch(() => null);
    if (signal.aborted) return;
    if (progress !== null) onProgress(progress);
  }
}

/** @param {string} place @param {AbortSignal} signal @returns {Promise<ExportProgress|null>} */
async function ask(place, signal) {
  const answer = await fetch(place, { signal });
  return answer.ok ? answer.json() : null;
}

/** crypto.randomUUID exists on secure pages only. */
function randomToken() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}

/** The connection ended before the file did. The browser's own message says less. */
class Broken extends Error {
  name = "Broken";
}

/** @param {unknown} error @returns {never} */
function broken(error) {
  if (error instanceof DOMException && error.name === "AbortError") throw error;
  throw new Broken(
    "The connection to the server was lost. Is livegrad still running in its terminal?",
  );
}

/** @param {Response} answer */
async function refusal(answer) {
  return answer.json().then(
    ({ detail, title }) => detail || title,
    () => `${answer.status} ${answer.statusText}`,
  );
}

/** @param {Response} answer @returns {AsyncGenerator<Uint8Array<ArrayBuffer>>} */
async function* decodeFrames(answer) {
  const reader = answer.body?.getReader();
  if (reader === undefined) return;
  for (;;) {
    const { done, value } = await reader.read().catch(broken);
    if (done) return;
    yield value;
  }
}

class Pieces {
  /** @type {Blob[]} */
  #whole = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  #loose = [];
  #bytes = 0;

  /** @param {string} type */
  constructor(type) {
    this.type = type;
  }

  /** @param {Uint8Array<ArrayBuffer>} chunk */
  add(chunk) {
    this.#loose.push(chunk);
    this.#bytes += chunk.byteLength;
    if (this.#bytes >= PIECE_BYTES) this.#fold();
  }

  #fold() {
    this.#whole.push(new Blob(this.#loose));
    this.#loose = [];
    this.#bytes = 0;
  }

  blob() {
    this.#fold();
    return new Blob(this.#whole, { type: this.type });
  }
}

/** @param {Uint8Array} chunk */
function linesIn(chunk) {
  let count = 0;
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

/** @param {Response} answer */
function nameIn(answer) {
  return (
    /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "livegrad"
  );
}

/** @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
