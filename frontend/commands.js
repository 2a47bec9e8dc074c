// Commands to the run on the screen: sent one at a time; a refusal is shown on the page. Knows
// nothing about buttons or keys.

import { problemOf } from "./api.js";

/** @import { Api, Command } from "./api.js" */
/** @import { CommandKind, Run, Store } from "./types.js" */

/** @typedef {(command: Command) => Promise<boolean>} Send true when it was applied */

/**
 * Commands that may be sent while another one is under way: pausing, and tuning while a step or the
 * trainer is awaited.
 */
const FREE = ["pause", "tune"];

/** @param {Store} store @param {Pick<Api, "command">} api @returns {Send} */
export function createSend(store, api) {
  return async (command) => {
    const { run, busy } = store.state;
    const isFree = FREE.includes(command.kind);
    if (run === null || (busy !== null && !isFree)) return false;
    if (!isFree) store.dispatch({ type: "busy", busy: command.kind });
    try {
      await api.command(run.id, command);
      store.dispatch({ type: "problem", problem: null });
      return true;
    } catch (error) {
      store.dispatch({ type: "problem", problem: problemOf(error) });
      return false;
    } finally {
      if (!isFree) store.dispatch({ type: "busy", busy: null });
    }
  };
}

/**
 * Which commands have an effect now: the server would not refuse them, and the run is not in the
 * state that they lead to.
 * @param {Run|null} run
 */
export function permitted(run) {
  const may = (/** @type {CommandKind} */ kind) => run?.allowed.includes(kind) ?? false;
  const isRunning = run?.state === "running";
  return {
    play: may("play") && !isRunning,
    pause: may("pause") && isRunning,
    step: may("step"),
    phase: may("phase"),
    tune: may("tune"),
  };
}

/** @param {Store} store @param {Send} send */
export function toggle(store, send) {
  const may = permitted(store.state.run);
  if (may.pause) return send({ kind: "pause" });
  return may.play ? send({ kind: "play" }) : Promise.resolve(false);
}
