// A card whose view, and whatever it needs, is fetched when there is something to draw. Knows nothing of what that is.

import { element } from "./dom.js";
/** @import { State, Store, View } from "../types.js" */

/**
 * @param {HTMLElement} root @param {Store} store
 * @param {{heading: string, text: string, isDue: (state: State) => boolean, fetch: () => Promise<{mount: (root: HTMLElement, store: Store) => View}>}} view
 * @returns {View}
 */
export function mount(root, store, { heading, text, isDue, fetch }) {
  /** @type {View|null} */
  let view = null;
  let isAsked = false;
  root.replaceChildren(element("h2", {}, heading), element("p", { class: "chart-empty" }, text));

  async function ask() {
    isAsked = true;
    const { mount: mountView } = await fetch();
    view = mountView(root, store);
    store.dispatch({ type: "resized" });
  }

  return {
    draw(state) {
      if (view !== null) view.draw(state);
      else if (!isAsked && isDue(state)) void ask();
    },
    unmount: () => view?.unmount(),
  };
}
