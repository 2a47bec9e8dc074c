// Opens the dialogs. The module of each is fetched when it is first opened.
// Knows nothing about what is in a dialog.

import { problemFrom } from "./run_session.js";
import { shown } from "./time/shown_moment.js";

/** @import { Api } from "./api.js" */
/** @import { RunSession } from "./run_session.js" */
/** @import { Run, Store } from "./types.js" */

/** @param {Store} store @param {Api} api @param {RunSession} session */
export function createDialogs(store, api, session) {
  const { attempt } = session;

  const newRun = () =>
    attempt(async () => {
      const [schema, datasets, { openForm }, { fieldsOf }] = await Promise.all([
        api.schema(),
        api.datasets(),
        import("./views/form.js"),
        import("./lib/schema.js"),
      ]);
      openForm({
        fields: fieldsOf(schema, "RunConfig"),
        datasets,
        create: (config) => problemFrom(session.create(config)),
      });
    });

  const branch = () =>
    attempt(async () => {
      const { openBranch } = await import("./views/branch.js");
      await openBranch(shown(store.state), {
        api,
        branch: (id, step, changes) => problemFrom(session.branch(id, step, changes)),
      });
    });

  const help = () => attempt(async () => (await import("./views/help.js")).openHelp());

  /** @param {Run[]} runs */
  const compare = (runs) =>
    attempt(async () => (await import("./views/compare.js")).openCompare(runs, api));

  const runs = () =>
    attempt(async () => {
      const { openRuns } = await import("./views/runs.js");
      openRuns(store, {
        open: session.open,
        again: session.again,
        newRun,
        refresh: () => attempt(session.refresh),
        remove: (id) => attempt(() => session.remove(id)),
        compare,
      });
    });

  return { newRun, branch, help, runs };
}
