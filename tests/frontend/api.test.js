import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { api, problemOf, Refusal } from "../../frontend/api.js";

const real = globalThis.fetch;
afterEach(() => {
  globalThis.fetch = real;
});

/**
 * @param {() => Promise<Response>} answer
 * @returns {{path: string, options: any}[]} what was asked
 */
function answerWith(answer) {
  /** @type {{path: string, options: any}[]} */
  const asked = [];
  globalThis.fetch = async (path, options) => {
    asked.push({ path: String(path), options });
    return answer();
  };
  return asked;
}

test("a command is JSON, posted to its run", async () => {
  const asked = answerWith(async () => Response.json({ step: 3 }));
  assert.deepEqual(await api.command("a/b", { kind: "step", count: 2 }), { step: 3 });
  const [{ path, options }] = asked;
  assert.equal(path, "api/runs/a%2Fb/commands");
  assert.equal(options.headers["content-type"], "application/json");
  assert.equal(options.body, '{"kind":"step","count":2}');
});

test("series are asked for by repeated names", async () => {
  const asked = answerWith(async () => Response.json({ series: [] }));
  await api.series("a", ["loss", "gradient_norm/0.weight"], 800);
  assert.equal(
    asked[0].path,
    "api/runs/a/series?name=loss&name=gradient_norm%2F0.weight&points=800",
  );
});

test("a problem of the server is thrown as it was said", async () => {
  const problem = {
    type: "about:blank",
    title: "Not possible now",
    status: 409,
    detail: "play: the run is finished",
  };
  answerWith(async () =>
    Response.json(problem, {
      status: 409,
      headers: { "content-type": "application/problem+json" },
    }),
  );
  await assert.rejects(api.command("a", { kind: "play" }), (/** @type {unknown} */ error) => {
    assert.ok(error instanceof Refusal);
    assert.deepEqual(problemOf(error), problem);
    return true;
  });
});

test("an answer that is no problem document still has its status", async () => {
  answerWith(async () => new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
  await assert.rejects(
    api.runs(),
    (/** @type {unknown} */ error) => problemOf(error).status === 502,
  );
});

test("a server that does not answer is said in words", async () => {
  answerWith(async () => Promise.reject(new TypeError("Failed to fetch")));
  await assert.rejects(
    api.runs(),
    (/** @type {unknown} */ error) =>
      problemOf(error).status === 0 && /does not answer/.test(problemOf(error).title),
  );
});

test("an error of the page itself is a problem too", () => {
  assert.match(problemOf(new Error("oops")).detail, /oops/);
});
