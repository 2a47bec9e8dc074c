// The dashboard: makes each part once and hands it what it needs. Decides nothing itself.

import { api, problemOf } from "./api.js";
import { mountCards, place, READ_MS } from "./cards.js";
import { createSend, toggle } from "./commands.js";
import { listen } from "./keys.js";
import { lazily } from "./lib/lazy.js";
import { createRunSession } from "./run_session.js";
import { createStore } from "./store.js";
import { createClock, createStats } from "./stream/clock.js";
import { createTheme } from "./theme.js";
import { createTimeCommands, timeKeys } from "./time/time_commands.js";
import * as bar from "./views/bar.js";
import * as controls from "./views/controls.js";
import * as exporting from "./views/export.js";
import * as lazyCard from "./views/lazy_card.js";
import * as notice from "./views/notice.js";
import { setTheme } from "./views/palette.js";

/** @import { Layout, SetTimer } from "./types.js" */

/** @import { StepLoader } from "./time/step_loader.js" */

/** @type {SetTimer} */
const setTimer = (callback, ms) => setTimeout(callback, ms);
/** @type {(error: unknown) => void} */
const onError = (error) => store.dispatch({ type: "problem", problem: problemOf(error) });

const stats = createStats();
const clock = createClock(stats);
const store = createStore((hurry) => {
  clock.invalidate(hurry);
  followVisited();
  followOverlays();
  followDivergence();
});

/** @type {StepLoader|null} */
let stepLoader = null;

/** Past steps are loaded by modules that are fetched when someone first looks at one. */
const followVisited = lazily({
  isNeeded: () => store.state.visited !== null,
  async load() {
    const [{ createStepLoader }, { httpSource }] = await Promise.all([
      import("./time/step_loader.js"),
      import("./time/http_source.js"),
    ]);
    stepLoader = createStepLoader({
      store,
      sourceOf: (id, layout) => httpSource(id, api, layout),
      nextFrame: (callback) => requestAnimationFrame(callback),
      setTimer,
    });
    return stepLoader;
  },
  use: (loader) => loader.follow(),
  onError,
  setTimer,
});

const followOverlays = lazily({
  isNeeded: () => store.state.overlaid.length > 0,
  async load() {
    const { createOverlayLoader } = await import("./compare/overlay_loader.js");
    return createOverlayLoader({ store, api, setTimer });
  },
  use: (loader) => loader.follow(),
  onError,
  setTimer,
});

const followDivergence = lazily({
  isNeeded: () => store.state.diverged,
  async load() {
    const [{ createNonfiniteFinder }, { httpSource }] = await Promise.all([
      import("./time/nonfinite.js"),
      import("./time/http_source.js"),
    ]);
    const sourceOf = (/** @type {string} */ id, /** @type {Layout} */ layout) =>
      httpSource(id, api, layout);
    return createNonfiniteFinder({ store, sourceOf, setTimer });
  },
  use: (finder) => finder.follow(),
  onError,
  setTimer,
});

const send = createSend(store, api);
const timeCommands = createTimeCommands(store, send);
const session = createRunSession({ store, api, clock, stats, setTimer });
/**
 * Dialogs come with a module that is fetched when the first one is opened.
 * @param {"runs"|"newRun"|"help"|"branch"} name
 */
const open = (name) => () =>
  void session.attempt(async () => {
    const { createDialogs } = await import("./dialogs.js");
    await createDialogs(store, api, session)[name]();
  });
const theme = createTheme(({ dark, reducedMotion }) => {
  setTheme(dark);
  store.dispatch({ type: "appearance", dark, reducedMotion });
});

/** @param {string} heading @param {() => Promise<lazyCard.ViewModule>} load */
const chart = (heading, load) => lazyCard.create({ heading, load, onError, setTimer });

/** Fetched once the network is drawn, since nobody points at it before. */
const inspector = lazyCard.create({
  heading: "Nothing selected",
  text: "Point at an edge, a unit, an arrow or a row to see its numbers.",
  isNeeded: ({ moment }) => moment !== null,
  load: () => import("./views/inspector.js"),
  onError,
  setTimer,
});

const { show } = mountCards({
  store,
  clock,
  timeCommands,
  branch: open("branch"),
  inspector,
  charts: {
    loss: chart("Loss (log)", () => import("./views/loss.js")),
    norms: chart("‖.grad‖ by parameter (log)", () => import("./views/norms.js")),
  },
});
const actions = {
  runs: open("runs"),
  newRun: open("newRun"),
  help: open("help"),
  theme: theme.toggle,
  parent: session.openAt,
};
const noticeActions = {
  runs: actions.runs,
  newRun: actions.newRun,
  again: () => store.state.run !== null && void session.again(store.state.run),
  gentler: () => store.state.run !== null && void session.gentler(store.state.run),
  goOn: () => void session.goOnGentler(store.state),
  play: () => void toggle(store, send),
  dismiss: () => store.dispatch({ type: "dismissNews" }),
};
show(bar.mount(place("bar"), store, actions), READ_MS);
show(exporting.mount(place("export"), store), READ_MS);
show(controls.mount(place("transport"), store, send), READ_MS);
show(notice.mount(place("notice"), store, noticeActions), READ_MS);
show(notice.mountToast(place("toast"), store));
clock.onDrawn(session.drawn);

listen(document, {
  ...timeKeys(timeCommands),
  toggleTraining: () => void toggle(store, send),
  phase: () => void send({ kind: "phase" }),
  help: actions.help,
});
document.addEventListener("keyup", timeCommands.keyReleased);
addEventListener("hashchange", session.followAddress);
addEventListener("online", session.retry);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") session.retry();
});

session.start();

/** For tests and benchmarks: what is on the screen, and what drawing costs. */
Object.assign(window, {
  livegrad: { store, stats, recordCache: () => stepLoader?.recordCache() ?? null },
});
