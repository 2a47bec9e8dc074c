// A bounded cache of a run's records by step, filled from any source. Knows nothing about HTTP, the
// page or who asks: http_source.js has the source over HTTP, and a replay brings its own.

/** @import { Chunk, Series } from "../types.js" */

/**
 * @typedef {(
 *   names: string[],
 *   from: number,
 *   to: number,
 *   points: number,
 *   signal?: AbortSignal,
 * ) => Promise<Series[]>} SeriesRequest
 */

/**
 * Where records come from. Both ends of a range are included. Records that are not kept are left
 * out
 * of the answer.
 * @typedef {Object} Source
 * @property {(from: number, to: number, signal?: AbortSignal) => Promise<Chunk[]>} records
 *   in step order
 * @property {SeriesRequest} series
 * @property {() => Promise<[number, number][]>} exact the ranges of which every step is kept
 * @property {(step: number) => Promise<number[]>} nearest at most two kept steps
 *   around one that was thinned out
 */

/**
 * The record of a step, and the one before it for Δ; null when that one is not kept.
 * @typedef {{step: number, values: Float32Array, before: Float32Array|null}} Entry
 */
/**
 * The kept records of some steps.
 * @typedef {{from: number, to: number, chunks: Chunk[], bytes: number}} Range
 */
/**
 * @typedef {Object} Request
 * @property {number} step
 * @property {(entry: Entry|null|undefined) => void} done
 * @property {(error: unknown) => void} fail
 */
/**
 * @typedef {{block: number, isAhead: boolean, since: number, control: AbortController}} Fetching
 */

const BUDGET_BYTES = 16 * 1024 * 1024;
const SPAN = 64; // steps of one range
const PATIENCE_MS = 120; // a fetch that nobody waits for is given up after this time
const AHEAD = 3; // ranges that are prefetched

export class RecordCache {
  /** By block number; the least recently used is first. @type {Map<number, Range>} */
  #ranges = new Map();
  /** @type {Fetching|null} */
  #fetching = null;
  /** The newest request; it replaces the ones before it. @type {Request|null} */
  #request = null;
  /** Blocks to fetch while nothing is requested. @type {number[]} */
  #ahead = [];
  #isClosed = false;
  /** Bytes of all ranges held. */
  bytes = 0;

  /**
   * @param {Source} source
   * @param {number} floats in one record
   * @param {() => {first: number, last: number}} bounds the first and last step of the run, now
   * @param {{budget?: number, span?: number, now?: () => number}} [limits]
   */
  constructor(
    source,
    floats,
    bounds,
    { budget = BUDGET_BYTES, span = SPAN, now = () => performance.now() } = {},
  ) {
    this.source = source;
    this.floats = floats;
    this.bounds = bounds;
    this.budget = budget;
    this.span = span;
    this.now = now;
  }

  /**
   * What the cache knows about a step: its record; null: it is not kept; undefined: unknown.
   * @param {number} step
   * @returns {Entry|null|undefined}
   */
  peek(step) {
    const range = this.#ranges.get(this.#block(step));
    if (range === undefined || step > range.to) return undefined;
    const values = rowOf(range, step, this.floats);
    return values === null ? null : { step, values, before: rowOf(range, step - 1, this.floats) };
  }

  /**
   * The record in the cache that is nearest to a step.
   * @param {number} step
   * @returns {Entry|null}
   */
  nearest(step) {
    let found = -1;
    for (const { chunks } of this.#ranges.values()) {
      for (const { first, values } of chunks) {
        const at = Math.min(Math.max(step, first), first + values.length / this.floats - 1);
        if (found < 0 || Math.abs(at - step) < Math.abs(found - step)) found = at;
      }
    }
    if (found < 0) return null;
    // A range also holds the record before its first step, whose own block may be unknown.
    return this.peek(found) ?? this.peek(found + 1) ?? null;
  }

  /**
   * The record of a step; it is fetched if necessary. null: it is not kept; undefined: another step
   * was
   * requested since.
   * @param {number} step @returns {Promise<Entry|null|undefined>}
   */
  record(step) {
    const known = this.peek(step);
    if (known !== undefined) return Promise.resolve(this.#used(step, known));
    this.#request?.done(undefined);
    return new Promise((done, fail) => {
      this.#request = { step, done, fail };
      this.#dropStale(this.#block(step));
      this.#next();
    });
  }

  /**
   * Records from the source, without the cache.
   * @param {number} from
   * @param {number} to
   * @param {AbortSignal} [signal]
   */
  records(from, to, signal) {
    return this.source.records(from, to, signal);
  }

  /**
   * Thinned series from the source, without the cache.
   * @param {string[]} names
   * @param {number} from
   * @param {number} to
   * @param {number} points
   * @param {AbortSignal} [signal]
   */
  series(names, from, to, points, signal) {
    return this.source.series(names, from, to, points, signal);
  }

  /**
   * Fetch what is likely to be requested next, when nothing else is being fetched.
   * @param {number} step
   * @param {number} direction −1, 1, or 0: both sides
   */
  prefetch(step, direction) {
    const block = this.#block(step);
    const ways =
      direction === 0 ? [1, -1] : Array.from({ length: AHEAD }, (_, i) => (i + 1) * direction);
    this.#ahead = [0, ...ways].map((way) => block + way);
    this.#next();
  }

  /** Drop everything; requests under way are answered with undefined. */
  close() {
    this.#isClosed = true;
    this.#fetching?.control.abort();
    this.#request?.done(undefined);
    this.#request = null;
    this.#ahead = [];
    this.#ranges.clear();
    this.bytes = 0;
  }

  /** @param {number} step */
  #block(step) {
    return Math.floor(step / this.span);
  }

  /** @template T @param {number} step @param {T} entry */
  #used(step, entry) {
    const block = this.#block(step);
    const range = this.#ranges.get(block);
    if (range !== undefined) {
      this.#ranges.delete(block);
      this.#ranges.set(block, range);
    }
    return entry;
  }

  /**
   * Give up a fetch for another block: at once when it was a prefetch, else when it takes long.
   * @param {number} block
   */
  #dropStale(block) {
    const under = this.#fetching;
    if (under === null || under.block === block) return;
    if (under.isAhead || this.now() - under.since > PATIENCE_MS) under.control.abort();
  }

  /** One fetch at a time: first the request, then prefetches. */
  #next() {
    if (this.#fetching !== null || this.#isClosed) return;
    const request = this.#request;
    if (request !== null) {
      const known = this.peek(request.step);
      if (known === undefined) return void this.#fetch(this.#block(request.step), false);
      this.#request = null;
      request.done(this.#used(request.step, known));
    }
    const block = this.#ahead.find((one) => this.#isNeeded(one));
    if (block !== undefined) void this.#fetch(block, true);
  }

  /** @param {number} block */
  #isNeeded(block) {
    const { first, last } = this.bounds();
    const [from, to] = [block * this.span, Math.min((block + 1) * this.span - 1, last)];
    if (to < first || from > last) return false;
    const range = this.#ranges.get(block);
    // The newest range grows all the time.
    return range === undefined || range.to < to - this.span / 4;
  }

  /** @param {number} block @param {boolean} isAhead */
  async #fetch(block, isAhead) {
    const { first, last } = this.bounds();
    const from = Math.max(block * this.span - 1, first);
    const to = Math.min((block + 1) * this.span - 1, last);
    const under = { block, isAhead, since: this.now(), control: new AbortController() };
    this.#fetching = under;
    try {
      const chunks = await this.source.records(from, to, under.control.signal);
      if (!under.control.signal.aborted) this.#keep(block, from, to, chunks);
    } catch (error) {
      if (!under.control.signal.aborted) this.#fail(error);
    }
    this.#fetching = null;
    this.#next();
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#ahead = [];
    this.#request?.fail(error);
    this.#request = null;
  }

  /** @param {number} block @param {number} from @param {number} to @param {Chunk[]} chunks */
  #keep(block, from, to, chunks) {
    if (this.#isClosed) return;
    const bytes = chunks.reduce((sum, { values }) => sum + values.buffer.byteLength, 0);
    this.#forget(block);
    this.#ranges.set(block, { from, to, chunks, bytes });
    this.bytes += bytes;
    for (const oldest of this.#ranges.keys()) {
      if (this.bytes <= this.budget || oldest === block) break;
      this.#forget(oldest);
    }
  }

  /** @param {number} block */
  #forget(block) {
    this.bytes -= this.#ranges.get(block)?.bytes ?? 0;
    this.#ranges.delete(block);
  }
}

/** @param {Range} range @param {number} step @param {number} floats */
function rowOf({ chunks }, step, floats) {
  for (const { first, values } of chunks) {
    const row = step - first;
    if (row >= 0 && row < values.length / floats)
      return values.subarray(row * floats, (row + 1) * floats);
  }
  return null;
}
