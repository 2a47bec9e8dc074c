// The server's HTTP interface: one function for each call. A call that is refused, or not answered,
// throws a Refusal. Knows nothing about the page or the stream.

/** @import { LoopSource, Problem, Run, RunConfig, RunData } from "./types.js" */

/** A call that was answered with a problem, or not answered (status 0). */
export class Refusal extends Error {
  name = "Refusal";
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }
}

/** @param {unknown} error @returns {Problem} */
export function problemOf(error) {
  if (error instanceof Refusal) return error.problem;
  const detail = error instanceof Error ? error.message : String(error);
  return { type: "about:blank", title: "Something went wrong on this page", status: 0, detail };
}

const UNREACHABLE = {
  type: "about:blank",
  title: "The server does not answer",
  status: 0,
  detail: "Is livegrad still running in its terminal? This page tries again by itself.",
};

/** @param {string} path @param {RequestInit} [options] @returns {Promise<Response>} */
async function call(path, options) {
  const answer = await fetch(path, options).catch(() => {
    throw new Refusal(UNREACHABLE);
  });
  if (!answer.ok) throw new Refusal(await problemIn(answer));
  return answer;
}

/** @param {Response} answer @returns {Promise<Problem>} */
async function problemIn(answer) {
  const plain = {
    type: "about:blank",
    title: answer.statusText,
    status: answer.status,
    detail: "",
  };
  return answer.json().then(
    (problem) => ({ ...plain, ...problem }),
    () => plain,
  );
}

/** @param {string} path */
const get = async (path) => (await call(path)).json();

/** @param {string} path @param {unknown} body */
async function post(path, body) {
  const headers = { "content-type": "application/json" };
  return (await call(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

/** @param {string} id */
const runPath = (id) => `api/runs/${encodeURIComponent(id)}`;

export const api = {
  /** @returns {Promise<{status: string, torch?: "loading"|"ready"|"failed"}>} */
  health: () => get("api/health"),
  /** @returns {Promise<LoopSource>} */
  loop: () => get("api/loop"),
  /** @returns {Promise<any>} */
  schema: () => get("openapi.json"),
  /** @returns {Promise<import("./types.js").DataSet[]>} */
  datasets: () => get("api/datasets"),
  /** @returns {Promise<Run[]>} */
  runs: () => get("api/runs"),
  /** @param {string} id @returns {Promise<Run>} */
  run: (id) => get(runPath(id)),
  /** @param {Partial<RunConfig>} config @returns {Promise<Run>} */
  createRun: (config) => post("api/runs", config),
  /** @param {string} id */
  deleteRun: (id) => call(runPath(id), { method: "DELETE" }),
  /** @param {string} id @param {Command} command @returns {Promise<Applied>} */
  command: (id, command) => post(`${runPath(id)}/commands`, command),
  /** @param {string} id @returns {Promise<RunData>} */
  data: (id) => get(`${runPath(id)}/data`),
  /**
   * @param {string} id
   * @param {string[]} names
   * @param {number} points
   * @param {{from?: number, to?: number}} [range]
   * @param {AbortSignal} [signal]
   */
  async series(id, names, points, range = {}, signal) {
    const bounds = Object.entries(range).map(([end, step]) => [end, String(step)]);
    const query = new URLSearchParams([
      ...names.map((name) => ["name", name]),
      ["points", String(points)],
      ...bounds,
    ]);
    return (await (await call(`${runPath(id)}/series?${query}`, { signal })).json()).series;
  },
  /**
   * @param {string} id
   * @param {number} from
   * @param {number} to both included
   * @param {AbortSignal} [signal]
   * @returns {Promise<ArrayBuffer>}
   */
  records: async (id, from, to, signal) =>
    (await call(`${runPath(id)}/records?from=${from}&to=${to}`, { signal })).arrayBuffer(),
  /**
   * @param {string} id
   * @param {number} step
   * @param {Record<string, any>} changes of the configuration
   * @returns {Promise<Run>}
   */
  branch: (id, step, changes) => post(`${runPath(id)}/branches`, { step, changes }),
  /**
   * Any other resource of a run.
   * @param {string} id
   * @param {string} what
   * @returns {Promise<any>}
   */
  of: (id, what) => get(`${runPath(id)}/${what}`),
};

/** @typedef {typeof api} Api */
/**
 * @typedef {{kind: "play"|"pause"|"phase"}
 *   | {kind: "step", count: number}
 *   | {kind: "tune", lr?: number, pace?: number|null}} Command
 */
/** @typedef {{applied_at_step: number, state: string, phase: string, step: number}} Applied */
