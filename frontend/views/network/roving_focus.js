// Makes the whole drawing one tab stop, in which arrow keys move from element to element. Knows
// nothing about values.

/** @import { Target } from "../../types.js" */

/** @typedef {{target: Target, node: SVGElement}} Stop */

/**
 * Where each key leads from [column, row].
 * @type {Record<string, (column: number, row: number, rows: number) => [number, number]>}
 */
const MOVES = {
  ArrowLeft: (column, row) => [column - 1, row],
  ArrowRight: (column, row) => [column + 1, row],
  ArrowUp: (column, row) => [column, row - 1],
  ArrowDown: (column, row) => [column, row + 1],
  Home: (column) => [column, 0],
  End: (column, _, rows) => [column, rows - 1],
};

export class RovingFocus {
  #column = 0;
  /** Remembered while the focus passes the input and the output, which have one row only. */
  #row = 0;

  /** @param {Stop[][]} columns from left to right, each from top to bottom */
  constructor(columns) {
    this.columns = columns;
    this.stop.node.setAttribute("tabindex", "0");
  }

  /** The element that has the tab stop. @returns {Stop} */
  get stop() {
    const column = this.columns[this.#column];
    return column[Math.min(this.#row, column.length - 1)];
  }

  /** @returns {[column: number, row: number]} */
  get position() {
    return [this.#column, this.#row];
  }

  /**
   * Take the position of a drawing that this one replaces, as far as it has such an element.
   * @param {[column: number, row: number]} position
   */
  restore([column, row]) {
    if (column < this.columns.length) this.#go(column, row);
  }

  /** Move to where a key leads. @param {string} key @returns {boolean} whether it leads anywhere */
  press(key) {
    const move = MOVES[key];
    if (move === undefined) return false;
    const rows = this.columns[this.#column].length;
    const [column, row] = move(this.#column, this.#row, rows);
    if (column < 0 || column >= this.columns.length) return true;
    const single = this.columns[column].length === 1;
    this.#go(
      column,
      single ? this.#row : Math.max(0, Math.min(row, this.columns[column].length - 1)),
    );
    this.stop.node.focus();
    return true;
  }

  /** Follow a click. @param {Target} target */
  follow(target) {
    this.columns.forEach((stops, column) => {
      const row = stops.findIndex((stop) => stop.target === target);
      if (row >= 0) this.#go(column, stops.length === 1 ? this.#row : row);
    });
  }

  /** @param {number} column @param {number} row */
  #go(column, row) {
    this.stop.node.setAttribute("tabindex", "-1");
    this.#column = column;
    this.#row = row;
    this.stop.node.setAttribute("tabindex", "0");
  }
}
