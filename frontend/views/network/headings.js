// Writes the headings of the columns: what PyTorch calls each, and its shape. Knows nothing about
// values.

import { shapeText } from "../../lib/format.js";
import { activationName } from "../../texts.js";
import { Mark } from "./mark.js";

/** @import { Layout, Run, RunData } from "../../types.js" */
/** @import { Plan } from "../../lib/geometry.js" */

/**
 * @param {Mark} parent
 * @param {Plan} plan
 * @param {Layout} layout
 * @param {Run|null} run
 * @param {RunData|null} data
 */
export function drawHeadings(parent, plan, layout, run, data) {
  const [hidden, , output] = layout.parameters;
  const rows = batchRows(run, data);
  const shape = (/** @type {number} */ columns) =>
    rows === null ? "" : shapeText([rows, columns]);
  const words = [
    ["input", shape(1)],
    [layerName(hidden.name), shapeText(hidden.shape)],
    [run?.config ? activationName(run.config.activation) : "", shape(hidden.size)],
    [layerName(output.name), shapeText(output.shape)],
    ["output", shape(1)],
  ];
  words.forEach(([name, size], i) => {
    const { x, y } = plan.headings[i];
    const isCode = i === 1 || i === 3;
    new Mark("text", parent, { class: isCode ? "heading code" : "heading", x, y }).say(name);
    new Mark("text", parent, { class: "shape", x, y: y + 15 * plan.scale }).say(size);
  });
}

/** "hidden_linear", or the number that nn.Sequential gave it. @param {string} parameter */
function layerName(parameter) {
  const name = parameter.slice(0, parameter.lastIndexOf("."));
  return /^\d+$/.test(name) ? `${name}: Linear` : name;
}

/** Rows of the tensors: the size of the batch. @param {Run|null} run @param {RunData|null} data */
function batchRows(run, data) {
  if (data === null) return null;
  return Math.min(run?.config?.batch_size ?? Infinity, data.train.x.length);
}
