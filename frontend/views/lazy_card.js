// A card whose view is fetched when there is something to draw. Knows nothing about what it shows.
// uPlot, the largest part of the page, is loaded this way with the first steps.

import { lazily } from "../lib/lazy.js";
import { element } from "./dom.js";

/** @import { SetTimer, State, Store, View } from "../types.js" */

/** @typedef {{mount: (root: HTMLElement, store: Store) => View}} ViewModule */

/**
 * @param {Object} options
 * @param {string} options.heading
 * @param {string} [options.text] shown until then
 * @param {(state: State) => boolean} [options.isNeeded] there is something to draw
 * @param {() => Promise<ViewModule>} options.load
 * @param {(error: unknown) => void} options.onError
 * @param {SetTimer} options.setTimer
 * @returns {ViewModule["mount"]}
 */
export function create({
  heading,
  text = "Nothing yet: training has not begun.",
  isNeeded = ({ rows }) => rows !== null && rows.length > 1,
  load,
  onError,
  setTimer,
}) {
  return (root, store) => {
    root.replaceChildren(element("h2", {}, heading), element("p", { class: "chart-empty" }, text));
    /** @type {State} */
    let newest = store.state;
    /** @type {View|null} */
    let view = null;
    const draw = lazily({
      isNeeded: () => isNeeded(newest),
      async load() {
        const { mount } = await load();
        root.replaceChildren();
        view = mount(root, store);
        store.dispatch({ type: "resized" });
        return view;
      },
      use: (loaded) => loaded.draw(newest),
      onError,
      setTimer,
    });
    return {
      draw(state) {
        newest = state;
        draw();
      },
      unmount: () => view?.unmount(),
    };
  };
}
