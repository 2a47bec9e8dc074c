// A run's history over HTTP. Knows nothing about caches or the page.

import { problemOf } from "../api.js";
import { decodeFrame } from "../stream/protocol.js";

/** @import { Api } from "../api.js" */
/** @import { Chunk, Source } from "./record_cache.js" */
/** @import { Layout } from "../types.js" */

const HEADER_BYTES = 32;

/** @param {string} id @param {Pick<Api, "records"|"series"|"of">} api @param {Layout} layout @returns {Source} */
export function httpSource(id, api, layout) {
  return {
    records: async (from, to, signal) => chunksOf(await api.records(id, from, to, signal), layout),
    series: (names, from, to, points, signal) =>
      api.series(id, names, points, { from, to }, signal),
    exact: async () => (await api.of(id, "kept")).exact,
    nearest: (step) => nearest(id, api, step),
  };
}

/** A step that was thinned out is refused with the ones around it. @param {string} id @param {Pick<Api, "of">} api @param {number} step @returns {Promise<number[]>} */
function nearest(id, api, step) {
  return api.of(id, `parameters?step=${step}`).then(
    () => [step],
    (error) => problemOf(error).nearest ?? [],
  );
}

/** An answer is one frame after the other. @param {ArrayBuffer} buffer @param {Layout} layout @returns {Chunk[]} */
export function chunksOf(buffer, layout) {
  const view = new DataView(buffer);
  const chunks = [];
  for (let at = 0; at < buffer.byteLength; ) {
    // Less than a header: decodeFrame says so.
    const count = buffer.byteLength - at < HEADER_BYTES ? 0 : view.getUint32(at + 4, true);
    const bytes = HEADER_BYTES + count * layout.floats * 4;
    const { first, values } = decodeFrame(buffer.slice(at, at + bytes), layout);
    chunks.push({ first, values });
    at += bytes;
  }
  return chunks;
}
