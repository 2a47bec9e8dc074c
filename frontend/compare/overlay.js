// Which runs are laid over the charts: the changes of the state. Pure.

/** @import { State } from "../types.js" */

export const MAX_OVERLAYS = 4; // runs over the one on the screen

/** @param {State} state @param {string} id @returns {Partial<State>} */
export function addOverlay({ overlaid, opened }, id) {
  return id === opened || overlaid.includes(id) || overlaid.length >= MAX_OVERLAYS
    ? {}
    : { overlaid: [...overlaid, id] };
}

/** @param {State} state @param {string} id @returns {Partial<State>} */
export function removeOverlay({ overlaid, overlays }, id) {
  return {
    overlaid: overlaid.filter((one) => one !== id),
    overlays: overlays.filter(({ run }) => run.id !== id),
  };
}

/**
 * Without the runs that were deleted meanwhile.
 * @param {State} state
 * @param {{id: string}[]} runs all that there are
 * @returns {Partial<State>}
 */
export function keepOverlays({ overlaid, overlays }, runs) {
  const known = new Set(runs.map(({ id }) => id));
  if (overlaid.every((id) => known.has(id))) return {};
  return {
    overlaid: overlaid.filter((id) => known.has(id)),
    overlays: overlays.filter(({ run }) => known.has(run.id)),
  };
}

/**
 * An overlaid run is opened: the run that was on the screen becomes an overlay instead.
 * @param {State} state
 * @param {string} id
 * @returns {Partial<State>}
 */
export function swapOverlay({ overlaid, overlays, opened }, id) {
  const places = overlaid.flatMap((one) =>
    one !== id ? [one] : opened === undefined ? [] : [opened],
  );
  return { overlaid: places, overlays: overlays.filter(({ run }) => run.id !== id) };
}
