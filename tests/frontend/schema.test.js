import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldsOf, fieldValue, placeOf } from "../../frontend/lib/schema.js";

const lr = { type: "number", minimum: 0, maximum: 1e6, default: 0.001, description: "How far." };
const schemas = {
  RunConfig: {
    properties: {
      name: { type: "string", default: "temperature" },
      hidden: { type: "integer", minimum: 1, maximum: 64, default: 13 },
      activation: { enum: ["tanh", "relu"], type: "string", default: "tanh" },
      named_layers: { type: "boolean", default: true },
      batch_size: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: null },
      optimizer: {
        oneOf: [{ $ref: "#/components/schemas/Sgd" }, { $ref: "#/components/schemas/Adam" }],
        default: { kind: "sgd", lr: 0.001 },
      },
    },
  },
  Sgd: { properties: { kind: { const: "sgd" }, lr } },
  Adam: {
    properties: {
      kind: { const: "adam" },
      lr,
      betas: {
        type: "array",
        prefixItems: [{ minimum: 0, exclusiveMaximum: 1 }],
        default: [0.9, 0.999],
      },
    },
  },
};
const fields = fieldsOf({ components: { schemas } }, "RunConfig");
const field = (/** @type {string} */ name) =>
  /** @type {import("../../frontend/lib/schema.js").Field} */ (
    fields.find((one) => one.name === name)
  );

test("each kind of property becomes its kind of field, with its limits and default", () => {
  assert.deepEqual(
    fields.map(({ kind }) => kind),
    ["text", "integer", "choice", "flag", "integer", "kinds"],
  );
  assert.deepEqual(
    [field("hidden").least, field("hidden").most, field("hidden").fallback],
    [1, 64, 13],
  );
  assert.deepEqual([field("batch_size").optional, field("batch_size").least], [true, 1]);
  assert.deepEqual(field("activation").choices, ["tanh", "relu"]);
});

test("the optimizer's arguments are grouped by its kind", () => {
  const groups = field("optimizer").groups ?? {};
  assert.deepEqual(Object.keys(groups), ["sgd", "adam"]);
  assert.deepEqual(
    groups.adam.map(({ name, kind }) => [name, kind]),
    [
      ["lr", "number"],
      ["betas", "pair"],
    ],
  );
  assert.equal(groups.sgd[0].description, "How far.");
});

test("what is typed becomes what the API wants; what is no number goes as it is", () => {
  assert.equal(fieldValue(field("hidden"), " 13 "), 13);
  assert.equal(fieldValue(field("batch_size"), ""), null);
  assert.equal(fieldValue(field("hidden"), "many"), "many");
  assert.equal(fieldValue(field("name"), "a run"), "a run");
  const betas = /** @type {any} */ (field("optimizer").groups?.adam[1]);
  assert.deepEqual(fieldValue(betas, "0.9, 0.99"), [0.9, 0.99]);
});

test("an error of the API finds its field, inside the optimizer too", () => {
  const place = (/** @type {(string|number)[]} */ loc, msg = "wrong") =>
    placeOf({ loc, msg }, fields);
  assert.equal(place(["body", "hidden"]), "hidden");
  assert.equal(place(["body", "optimizer", "adam", "lr"]), "optimizer.lr");
  assert.equal(place(["body", "optimizer", "adam", "betas", 0]), "optimizer.betas");
  assert.equal(place(["body"]), "");
  assert.equal(place(["body"], "batch_size must be at most 9"), "batch_size");
});

test("a schema that is not there is an error in words", () => {
  assert.throws(() => fieldsOf({}, "RunConfig"), /describes no RunConfig/);
});
