// Writes each line's name at its end, so that nobody has to look up the key. Knows uPlot's
// coordinates; nothing about what the lines mean.

import { element, set, write } from "../dom.js";

/** @import uPlot from "../../vendor/uplot/uPlot.esm.js" */

const HEIGHT = 13; // pixels between two names

/** @param {HTMLElement} over @param {{label: string, colour: string}[]} lines */
export function createEnds(over, lines) {
  const names = lines.map(({ label, colour }) => {
    const name = element("span", { class: "line-end" }, label);
    name.style.color = colour;
    return name;
  });
  over.append(...names);
  /**
   * @param {uPlot} plot
   * @param {{steps: ArrayLike<number>, lines: ArrayLike<number>[], length: number}} rows
   */
  return (plot, { steps, lines: values, length }) => {
    const ends = values.map((line, i) => ({ i, ...endOf(line, steps, length, plot) }));
    let floor = Infinity;
    for (const { i, x, y } of ends.sort((a, b) => b.y - a.y)) {
      const top = Math.min(y, floor - HEIGHT);
      floor = top;
      set(names[i], "hidden", Number.isNaN(x));
      write(names[i], lines[i].label);
      names[i].style.transform =
        `translate(calc(${x.toFixed(0)}px - 100% - 4px), calc(${top.toFixed(0)}px - 110%))`;
    }
  };
}

/**
 * @param {ArrayLike<number>} line
 * @param {ArrayLike<number>} steps
 * @param {number} length
 * @param {uPlot} plot
 */
function endOf(line, steps, length, plot) {
  let at = length - 1;
  while (at >= 0 && !(line[at] > 0 && line[at] < Infinity)) at--;
  if (at < 0) return { x: NaN, y: -Infinity };
  return { x: plot.valToPos(steps[at], "x"), y: plot.valToPos(line[at], "y") };
}
