// Which room of the frontend may import which, and how long a line may be.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../frontend", import.meta.url));
const TESTS = fileURLToPath(new URL(".", import.meta.url));
const MOST_COLUMNS = 100;
const LONGEST_CHAIN = 8;

/** What each room may import of the others. Types may come from anywhere: they do not run. */
const ROOMS = {
  lib: [],
  stream: ["lib", "api"],
  time: ["lib", "stream", "api"],
  compare: ["lib", "api"],
  export: [],
  views: ["lib", "time", "compare", "export", "texts", "commands", "api", "vendor"],
  replay: ["stream", "time", "views", "store", "texts", "theme", "keys", "cards"],
};

/** What each module outside of the rooms may import. */
const MODULES = {
  types: [],
  api: [],
  keys: [],
  theme: [],
  signin: [],
  docs: [],
  texts: ["lib"],
  commands: ["api"],
  store: ["lib", "stream", "compare"],
  cards: ["time", "views"],
  run_session: ["api", "stream", "texts"],
  dialogs: ["run_session", "time", "views", "lib"],
};

/** The composition root knows every room but the replay. */
const MAIN = "main";

/** @param {string} folder @returns {string[]} */
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (name) => !name.startsWith("vendor"),
  );

/** @type {Map<string, string[]>} module → the modules that it imports, by import() too */
const imports = new Map(
  filesIn(ROOT)
    .filter((name) => name.endsWith(".js"))
    .map((name) => [name, importsOf(name)]),
);

/** @param {string} name */
function importsOf(name) {
  const text = readFileSync(join(ROOT, name), "utf8");
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const places = code.matchAll(/(?:\bfrom|^import|\bimport\()\s*"(\.[^"]+)"/gm);
  return [...places].map(([, place]) => normalize(join(dirname(name), place)));
}

/** The folder of a module, or its own name outside of the rooms. @param {string} name */
const roomOf = (name) => (name.includes("/") ? name.split("/")[0] : name.replace(/\.js$/, ""));

test("the walk finds the frontend", () => {
  assert.ok(imports.get("main.js")?.includes("run_session.js"));
  assert.ok(imports.get("main.js")?.includes("time/step_loader.js"), "import() counts too");
  assert.ok(imports.get("views/chart.js")?.includes("vendor/uplot/uPlot.esm.js"));
});

test("every module is in a room or is named here", () => {
  const rooms = new Set([...imports.keys()].map(roomOf));
  const named = [...Object.keys(ROOMS), ...Object.keys(MODULES), MAIN];
  assert.deepEqual([...rooms].sort(), named.sort());
});

test("rooms import along the arrows", () => {
  /** @type {Record<string, string[]>} */
  const arrows = { ...ROOMS, ...MODULES };
  /** @type {string[]} */
  const wrong = [];
  for (const [name, found] of imports) {
    const room = roomOf(name);
    if (room === MAIN) continue;
    for (const other of found) {
      if (roomOf(other) !== room && !arrows[room].includes(roomOf(other)))
        wrong.push(`${name} imports ${other}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(![...(imports.get("main.js") ?? [])].some((name) => roomOf(name) === "replay"));
});

test("each arrow of the table is used", () => {
  for (const [room, others] of Object.entries({ ...ROOMS, ...MODULES })) {
    const used = new Set(
      [...imports].filter(([name]) => roomOf(name) === room).flatMap(([, found]) => found),
    );
    const rooms = new Set([...used].map(roomOf));
    assert.deepEqual(
      others.filter((other) => !rooms.has(other)),
      [],
      room,
    );
  }
});

test("no imports in a circle, and no long chains of them", () => {
  /** @param {string} name @param {string[]} path @returns {string[]} the longest chain from here */
  function chainFrom(name, path) {
    assert.ok(!path.includes(name), `a circle: ${[...path, name].join(" → ")}`);
    const chains = (imports.get(name) ?? []).map((other) => chainFrom(other, [...path, name]));
    return [name, ...chains.reduce((a, b) => (b.length > a.length ? b : a), [])];
  }
  for (const name of imports.keys()) {
    const chain = chainFrom(name, []);
    assert.ok(chain.length <= LONGEST_CHAIN, chain.join(" → "));
  }
});

test("the replay's page has only modules that it needs no server for", () => {
  /** @param {string} name @param {Set<string>} seen */
  function reach(name, seen) {
    if (seen.has(name)) return seen;
    seen.add(name);
    for (const other of imports.get(name) ?? []) reach(other, seen);
    return seen;
  }
  const reached = reach("replay/main.js", new Set());
  for (const name of ["stream/connection.js", "time/http_source.js", "run_session.js"])
    assert.ok(!reached.has(name), name);
});

test("no line is longer than 100 columns", () => {
  const files = [
    ...filesIn(ROOT).map((name) => join(ROOT, name)),
    ...filesIn(TESTS).map((name) => join(TESTS, name)),
  ].filter((path) => /\.(js|css|html)$/.test(path));
  const long = files.flatMap((path) =>
    readFileSync(path, "utf8")
      .split("\n")
      .flatMap((line, i) =>
        [...line].length > MOST_COLUMNS ? [`${relative(ROOT, path)}:${i + 1}`] : [],
      ),
  );
  assert.deepEqual(long, []);
});
