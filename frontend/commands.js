// What a person asks of the run: sent one at a time, its refusal shown.
// Knows nothing about buttons or keys.

import { problemOf } from "./api.js";

/** @import { Api, Command } from "./api.js" */
/** @import { Run, Store } from "./types.js" */

/** @typedef {(command: Command) => Promise<boolean>} Send true when it was applied */

/**
 * Commands that wait for none before them: stopping, and turning a knob while a step or the trainer
 * is awaited.
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
 * What a state does not forbid: the browser's copy of lifecycle.py's table, to grey out what would be refused.
 * @param {Run|null} run
 */
export function permitted(run) {
  const state = run?.state;
  const isWaiting = state === "paused" || state === "starting";
  const isReady = isWaiting || state === "interrupted";
  return {
    play: isReady,
    pause: state === "running",
    step: isReady,
    phase: isReady,
    tune: isReady || state === "running",
  };
}

/** @param {Store} store @param {Send} send */
export function toggle(store, send) {
  const may = permitted(store.state.run);
  if (may.pause) return send({ kind: "pause" });
  return may.play ? send({ kind: "play" }) : Promise.resolve(false);
}
