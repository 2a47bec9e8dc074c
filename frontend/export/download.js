// A file from the server, or made here, onto the disk; with how far it has come. Knows nothing of what is in it.

/** Pieces of this size are handed to the browser, which keeps them outside the page's memory. */
const PIECE_BYTES = 8 * 1024 * 1024;
const TELL_MS = 100;
const NEWLINE = 10;

/**
 * @typedef {Object} Progress
 * @property {number} bytes
 * @property {number} rows lines of text so far
 * @property {number|null} total rows that will come, at most; null: not known
 */

/**
 * Fetch a file, telling how far it has come.
 * @param {string} url
 * @param {{tell: (progress: Progress) => void, signal: AbortSignal}} options
 * @returns {Promise<{blob: Blob, name: string}>} Throws an Error in the server's own words.
 */
export async function fetchFile(url, { tell, signal }) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Error(await refusal(answer));
  const kind = answer.headers.get("content-type") ?? "";
  const pieces = new Pieces(kind);
  const announced = Number(answer.headers.get("livegrad-rows"));
  const isText = kind.startsWith("text/csv");
  const progress = { bytes: 0, rows: 0, total: isText && announced > 0 ? announced + 1 : null };
  let told = -Infinity;
  for await (const chunk of chunksOf(answer)) {
    pieces.add(chunk);
    progress.bytes += chunk.byteLength;
    if (isText) progress.rows += linesIn(chunk);
    if (performance.now() - told < TELL_MS) continue;
    told = performance.now();
    tell({ ...progress });
  }
  tell({ ...progress });
  return { blob: pieces.blob(), name: nameIn(answer) };
}

/** @param {Response} answer */
async function refusal(answer) {
  return answer.json().then(
    ({ detail, title }) => detail || title,
    () => `${answer.status} ${answer.statusText}`,
  );
}

/** @param {Response} answer @returns {AsyncGenerator<Uint8Array<ArrayBuffer>>} */
async function* chunksOf(answer) {
  const reader = answer.body?.getReader();
  if (reader === undefined) return;
  for (;;) {
    const { done, value } = await reader.read();
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
  return /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? "livegrad";
}

/** @param {Blob} blob @param {string} name */
export function keep(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
