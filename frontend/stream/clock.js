// Draws the newest state in one requestAnimationFrame, and stops when nothing has changed. Knows
// nothing about what is drawn.

const DRAWN = 512; // frames that the measurements remember

/**
 * @typedef {Object} Part
 * @property {() => void} draw
 * @property {number} everyMs at most one draw in this time
 * @property {boolean} isDirty
 * @property {number} drawnAt performance.now() of its last draw
 */

/**
 * @typedef {Object} Clock
 * @property {(draw: () => void, everyMs?: number) => () => void} add
 *   returns a function that removes it
 * @property {(hurry?: boolean) => void} invalidate draw in the next frame;
 *   hurry: every part, even one that was just drawn
 * @property {(listener: () => void) => void} onDrawn called after each frame that drew
 */

/**
 * @param {Stats} stats
 * @param {(callback: (now: number) => void) => unknown} [nextFrame]
 * @returns {Clock}
 */
export function createClock(stats, nextFrame = (callback) => requestAnimationFrame(callback)) {
  /** @type {Set<Part>} */
  const parts = new Set();
  /** @type {(() => void)[]} */
  const listeners = [];
  let isScheduled = false;
  let isHurried = false;

  function schedule() {
    if (isScheduled) return;
    isScheduled = true;
    nextFrame(frame);
  }

  function frame() {
    isScheduled = false;
    const started = performance.now();
    const drew =
      [...parts].filter((part) => isDue(part, started)).map((part) => drawPart(part, started))
        .length > 0;
    isHurried = false;
    if (drew) {
      stats.drew(performance.now() - started);
      for (const listener of listeners) listener();
    }
    if ([...parts].some((part) => part.isDirty)) schedule();
  }

  /** @param {Part} part @param {number} now */
  function isDue(part, now) {
    return part.isDirty && (isHurried || now - part.drawnAt >= part.everyMs);
  }

  return {
    add(draw, everyMs = 0) {
      const part = { draw, everyMs, isDirty: true, drawnAt: -Infinity };
      parts.add(part);
      schedule();
      return () => parts.delete(part);
    },
    invalidate(hurry = false) {
      isHurried ||= hurry;
      for (const part of parts) part.isDirty = true;
      schedule();
    },
    onDrawn(listener) {
      listeners.push(listener);
    },
  };
}

/** @param {Part} part @param {number} now */
function drawPart(part, now) {
  part.isDirty = false;
  part.drawnAt = now;
  part.draw();
}

/**
 * What drawing costs and how late it is; for benchmarks and tests.
 * @typedef {Object} Stats
 * @property {number} frames drawn since the page was opened
 * @property {(ms: number) => void} received main-thread time that a message took before it is drawn
 * @property {(time: number) => void} stamped unix time at which the newest record was finished
 * @property {(ms: number) => void} drew
 * @property {() => Sample[]} samples the newest, oldest first
 * @property {() => void} clear
 */

/**
 * latency: in seconds; NaN when the frame brought no new record.
 * @typedef {{ms: number, latency: number}} Sample
 */

/** @returns {Stats} */
export function createStats() {
  const ms = new Float64Array(DRAWN);
  const latency = new Float64Array(DRAWN);
  let waiting = 0;
  let stamp = NaN;
  let since = 0;
  const stats = {
    frames: 0,
    received(/** @type {number} */ spent) {
      waiting += spent;
    },
    stamped(/** @type {number} */ time) {
      stamp = time;
    },
    drew(/** @type {number} */ spent) {
      const slot = stats.frames++ % DRAWN;
      ms[slot] = spent + waiting;
      latency[slot] = (performance.timeOrigin + performance.now()) / 1000 - stamp;
      waiting = 0;
      stamp = NaN;
    },
    samples() {
      const count = Math.min(stats.frames - since, DRAWN);
      const slots = Array.from({ length: count }, (_, i) => (stats.frames - count + i) % DRAWN);
      return slots.map((slot) => ({ ms: ms[slot], latency: latency[slot] }));
    },
    clear() {
      since = stats.frames;
    },
  };
  return stats;
}
