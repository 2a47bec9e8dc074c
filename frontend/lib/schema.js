// The fields of the new-run form, read from the OpenAPI schema of RunConfig, and the field that an
// error is about. Pure: knows nothing about the DOM.

import { parseDecimal } from "./number.js";

/**
 * @typedef {Object} Field
 * @property {string} name
 * @property {"text"|"number"|"integer"|"choice"|"flag"|"pair"|"kinds"} kind
 *   kinds: one of several groups of fields
 * @property {boolean} optional it may be left empty, which is null
 * @property {any} fallback the default
 * @property {number} [least]
 * @property {number} [most]
 * @property {string[]} [choices]
 * @property {Record<string, Field[]>} [groups] for kinds
 * @property {string} description
 */

/** @typedef {Record<string, any>} Schema */

/** @param {Schema} document the OpenAPI document @param {string} name @returns {Field[]} */
export function fieldsOf(document, name) {
  const schemas = document.components?.schemas ?? {};
  if (schemas[name] === undefined) throw new Error(`the API describes no ${name}`);
  return properties(schemas[name], schemas);
}

/** @param {Schema} schema @param {Record<string, Schema>} schemas @returns {Field[]} */
function properties(schema, schemas) {
  return Object.entries(schema.properties ?? {}).map(([name, property]) =>
    fieldOf(name, property, schemas),
  );
}

/**
 * @param {string} name
 * @param {Schema} property
 * @param {Record<string, Schema>} schemas
 * @returns {Field}
 */
function fieldOf(name, property, schemas) {
  const { present, isOptional } = resolve(property, schemas);
  const field = {
    name,
    optional: isOptional,
    fallback: property.default ?? null,
    description: property.description ?? present.description ?? "",
  };
  const variants = present.oneOf ?? [];
  if (variants.length > 0) return { ...field, kind: "kinds", groups: groupsOf(variants, schemas) };
  return { ...field, kind: kindOf(present), ...limits(present) };
}

/**
 * Follow a $ref, and remove null from a choice of types.
 * @param {Schema} property
 * @param {Record<string, Schema>} schemas
 */
function resolve(property, schemas) {
  const parts = (property.anyOf ?? [property]).map((/** @type {Schema} */ part) =>
    part.$ref ? lookUp(part.$ref, schemas) : part,
  );
  const present = parts.filter((/** @type {Schema} */ part) => part.type !== "null");
  return {
    present: /** @type {Schema} */ (present[0] ?? {}),
    isOptional: present.length < parts.length,
  };
}

/** @param {string} reference @param {Record<string, Schema>} schemas @returns {Schema} */
function lookUp(reference, schemas) {
  return schemas[reference.slice(reference.lastIndexOf("/") + 1)] ?? {};
}

/** @param {Schema[]} variants @param {Record<string, Schema>} schemas */
function groupsOf(variants, schemas) {
  return Object.fromEntries(
    variants.map((variant) => {
      const schema = variant.$ref ? lookUp(variant.$ref, schemas) : variant;
      const fields = properties(schema, schemas).filter(({ name }) => name !== "kind");
      return [String(schema.properties?.kind?.const ?? schema.title), fields];
    }),
  );
}

/** @param {Schema} schema @returns {Field["kind"]} */
function kindOf({ type, enum: choices, const: only }) {
  if (choices !== undefined || only !== undefined) return "choice";
  if (type === "boolean") return "flag";
  if (type === "array") return "pair";
  return type === "integer" || type === "number" ? type : "text";
}

/** @param {Schema} schema */
function limits({
  minimum,
  maximum,
  exclusiveMaximum,
  exclusiveMinimum,
  enum: choices,
  prefixItems,
}) {
  if (prefixItems !== undefined) return limits(prefixItems[0]);
  return { least: minimum ?? exclusiveMinimum, most: maximum ?? exclusiveMaximum, choices };
}

/**
 * What a person typed, as the API expects it. Text that is no number stays as it is.
 * @param {Field} field @param {string} text
 */
export function fieldValue(field, text) {
  const trimmed = text.trim();
  if (trimmed === "" && field.optional) return null;
  if (field.kind === "pair") return trimmed.split(",").map((part) => numberOr(part.trim()));
  if (field.kind === "flag") return trimmed === "true";
  if (field.kind === "number" || field.kind === "integer")
    return trimmed === "" ? trimmed : numberOr(trimmed);
  return text;
}

/**
 * The server answers for text that is no number, and the form shows it beside the field.
 * @param {string} text
 */
function numberOr(text) {
  return parseDecimal(text) ?? text;
}

/**
 * The field that an error of a 422 is about: "optimizer.lr", or "" for the whole form.
 * @param {{loc?: (string|number)[], msg: string}} error
 * @param {Field[]} fields
 */
export function placeOf({ loc: location = [], msg }, fields) {
  const field =
    fields.find(({ name }) => location.includes(name)) ??
    fields.find(({ name }) => msg.startsWith(`${name} `));
  if (field === undefined) return "";
  const inner = Object.values(field.groups ?? {}).flat();
  const part = inner.find(({ name }) => location.indexOf(name) > location.indexOf(field.name));
  return part === undefined ? field.name : `${field.name}.${part.name}`;
}
