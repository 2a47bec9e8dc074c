// Reads a run's past over HTTP. Knows nothing about caches or the page.

import { problemOf } from "../api.js";
import { decodeFrames } from "../stream/protocol.js";

/** @import { Api } from "../api.js" */
/** @import { Source } from "./record_cache.js" */
/** @import { Chunk, Layout } from "../types.js" */

/**
 * @param {string} id
 * @param {Pick<Api, "records"|"series"|"of">} api
 * @param {Layout} layout
 * @returns {Source}
 */
export function httpSource(id, api, layout) {
  return {
    records: async (from, to, signal) =>
      decodeFrames(await api.records(id, from, to, signal), layout),
    series: (names, from, to, points, signal) =>
      api.series(id, names, points, { from, to }, signal),
    exact: async () => (await api.of(id, "kept")).exact,
    nearest: (step) => nearest(id, api, step),
  };
}

/**
 * The kept steps around one that was thinned out; the refusal of that step names them.
 * @param {string} id
 * @param {Pick<Api, "of">} api
 * @param {number} step
 * @returns {Promise<number[]>}
 */
function nearest(id, api, step) {
  return api.of(id, `parameters?step=${step}`).then(
    () => [step],
    (error) => problemOf(error).nearest ?? [],
  );
}
