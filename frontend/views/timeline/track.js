// The track of the timeline: the loss as an outline, with markers for the step on the screen and
// the newest one; drag to move. Knows nothing about how a step is loaded.

import { format, stepText } from "../../lib/format.js";
import { hasPast, shownLoss } from "../../time/shown_moment.js";
import { element, set, svg, whenChanged, write } from "../dom.js";
import { outline, reach, thinned, thinnedText } from "./silhouette.js";
/** @import { ChartRows, State, Store } from "../../types.js" */

/** @param {Store} store */
export function createTrack(store) {
  const shape = svg("path", { class: "silhouette" });
  const picture = svg(
    "svg",
    { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" },
    shape,
  );
  const [ahead, since, live, hand] = ["ahead", "since", "live-mark", "hand"].map((kind) =>
    element("div", { class: kind }),
  );
  const gaps = element("div", { class: "gaps" });
  const bubble = element("div", { class: "bubble", hidden: true });
  const field = element("div", { class: "track-field" }, picture, gaps, ahead, since, live, hand);
  const root = element(
    "div",
    { class: "track", id: "track", role: "slider", tabindex: 0, "aria-label": "Step of the run" },
    field,
    bubble,
  );
  let end = 1;
  let begin = 0;
  const share = (/** @type {number} */ step) =>
    Math.min(Math.max((step - begin) / (end - begin), 0), 1);
  const at = (/** @type {HTMLElement} */ mark, /** @type {number} */ step) =>
    (mark.style.left = `${(share(step) * 100).toFixed(3)}%`);
  const [box, around] = [measured(field, root), measured(root, root)];
  const stepAt = (/** @type {PointerEvent} */ { clientX }) =>
    Math.round(begin + ((clientX - box.left) / box.width) * (end - begin));
  listenTo(root, store, stepAt, (step, x) => say(store.state, step, x));

  /**
   * Show the step and the loss under the cursor.
   * @param {State} state
   * @param {number|null} step
   * @param {number} x
   */
  function say({ rows, run }, step, x) {
    set(bubble, "hidden", step === null || run === null);
    if (step === null || run === null) return;
    bubble.style.left = `${Math.min(Math.max(x - around.left, 60), around.width - 60)}px`;
    const within = Math.min(Math.max(step, begin), run.step);
    write(bubble, `step ${stepText(within)}${lossNear(rows, within)}`);
  }

  const drawShape = whenChanged(
    (/** @type {ChartRows|null} */ rows, /** @type {number} */ from, /** @type {number} */ to) =>
      set(shape, "d", rows === null ? "" : outline(rows, from, to)),
  );
  const drawMarks = whenChanged(
    (
      /** @type {number} */ step,
      /** @type {number} */ newest,
      /** @type {boolean} */ isVisiting,
      /** @type {number} */ _,
      /** @type {number} */ __,
    ) => {
      at(hand, step);
      at(live, newest);
      at(ahead, newest);
      at(since, step);
      since.style.width = `${((share(newest) - share(step)) * 100).toFixed(3)}%`;
      set(live, "hidden", !isVisiting);
      set(since, "hidden", !isVisiting);
    },
  );
  const drawGaps = whenChanged(
    (/** @type {State["exact"]} */ exact, /** @type {number} */ _, /** @type {number} */ __) => {
      const places = thinned(exact, begin).filter(([from, to]) => share(to) - share(from) > 0.001);
      const marks = places.map(([from, to]) => {
        const mark = element("div", {
          class: "thinned",
          title: thinnedText(from, to),
        });
        at(mark, from);
        mark.style.width = `${((share(to) - share(from)) * 100).toFixed(3)}%`;
        return mark;
      });
      gaps.replaceChildren(...marks);
    },
  );
  return {
    root,
    /** @param {State} state */
    draw(state) {
      const { run, visited, rows, exact } = state;
      begin = run?.first_step ?? 0;
      end = run === null ? 1 : reach(begin, run.step, run.config?.max_steps ?? run.step);
      const newest = run?.step ?? 0;
      drawShape(rows, begin, end);
      drawGaps(exact, begin, end);
      drawMarks(visited?.step ?? newest, newest, visited !== null, begin, end);
      set(root, "aria-valuemin", begin);
      set(root, "aria-valuemax", newest);
      set(root, "aria-valuenow", visited?.step ?? newest);
      set(root, "aria-valuetext", valueText(state));
      set(root, "aria-disabled", !hasPast(run));
    },
    /** Move the marker alone, in every frame while a step is visited. @param {State} state */
    follow({ run, visited }) {
      if (visited !== null && run !== null) drawMarks(visited.step, run.step, true, begin, end);
    },
    unmount() {
      box.end();
      around.end();
    },
  };
}

/**
 * Where an element is. The answer is kept, because asking at every move of the pointer makes the
 * browser lay out the page each time.
 * @param {HTMLElement} element
 * @param {HTMLElement} entered measure again when a pointer enters this element
 */
function measured(element, entered) {
  const box = { left: 0, width: 1, end };
  function look() {
    ({ left: box.left, width: box.width } = element.getBoundingClientRect());
  }
  const sizes = new ResizeObserver(look);
  sizes.observe(element);
  sizes.observe(document.documentElement);
  entered.addEventListener("pointerenter", look);
  function end() {
    sizes.disconnect();
  }
  return box;
}

/** @param {State} state */
function valueText(state) {
  const { run, visited } = state;
  if (run === null) return "no run";
  if (visited === null) return `step ${stepText(run.step)}, live`;
  const loss = shownLoss(state);
  const lossText = Number.isNaN(loss) ? "" : `, loss ${format(loss, 3)}`;
  return `step ${stepText(visited.step)} of ${stepText(run.step)}${lossText}`;
}

/**
 * The loss of the record drawn nearest to a step.
 * @param {ChartRows|null} rows
 * @param {number} step
 */
function lossNear(rows, step) {
  if (rows === null || rows.length === 0) return "";
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows.steps[middle] < step) low = middle + 1;
    else high = middle;
  }
  const loss = rows.loss[low];
  return Number.isNaN(loss) ? "" : ` · loss ${format(loss, 3)}`;
}

/**
 * Dragging, and the keys of a slider that the page does not have.
 * @param {HTMLElement} root
 * @param {Store} store
 * @param {(event: PointerEvent) => number} stepAt
 * @param {(step: number|null, x: number) => void} say
 */
function listenTo(root, store, stepAt, say) {
  let isDragging = false;
  const visit = (/** @type {number} */ step) =>
    store.dispatch({ type: "visit", step, isMoving: isDragging });
  root.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !hasPast(store.state.run)) return;
    isDragging = true;
    root.setPointerCapture(event.pointerId);
    store.dispatch({ type: "playback", direction: 0 });
    visit(stepAt(event));
  });
  root.addEventListener("pointermove", (event) => {
    const step = stepAt(event);
    if (isDragging) visit(step);
    say(step, event.clientX);
  });
  const end = () => {
    if (isDragging) store.dispatch({ type: "stopMoving" });
    isDragging = false;
  };
  root.addEventListener("pointerup", end);
  root.addEventListener("pointercancel", end);
  root.addEventListener("pointerleave", () => say(null, 0));
  root.addEventListener("keydown", (event) => {
    const steps = { PageUp: 100, PageDown: -100, ArrowUp: 1, ArrowDown: -1 }[event.key];
    const { run, visited } = store.state;
    if (steps === undefined || run === null || event.shiftKey) return;
    event.preventDefault();
    visit((visited?.step ?? run.step) + steps);
  });
}
