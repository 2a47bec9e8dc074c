// Where everything in the network drawing stands, in pixels. Knows nothing about values, colours or
// the DOM.
//
//   input ──fan── lane ─┬ hidden unit ┬─ lane ──fan── output
//                       └ bias │ plot ┘        bias │ plot
//
// A lane is a column of straight edge pieces, one for each hidden unit. Each piece has a sign, two
// arrows and a mark. When rows are too low for their arrows, neighbours are drawn in `stagger`
// lanes
// side by side.

/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/**
 * Slots of one parameter's marks.
 * @typedef {Object} Slots
 * @property {number} y the line that arrows stand on
 * @property {number} sign x of the sign's middle
 * @property {number} gradient x of the violet arrow
 * @property {number} change x of the green arrow
 * @property {number} note x of the middle of "≠" or "nan"
 * @property {Box} cell what the cursor may hit
 */
/** @typedef {{path: string, slots: Slots}} Edge */
/**
 * A hidden unit or the output.
 * @typedef {{box: Box, plot: Box|null, bias: Slots}} Node
 */
/**
 * @typedef {Object} Plan
 * @property {number} width
 * @property {number} height
 * @property {number} scale of type and strokes; 1 at 720 × 640
 * @property {number} type how much larger text is than normal
 * @property {boolean} narrow a phone
 * @property {boolean} roomy units have plots
 * @property {boolean} crowded rows are so low that neighbours are staggered
 * @property {number} pitch from row to row
 * @property {number} sign half the size of a sign
 * @property {number} arrow length of the longest arrow
 * @property {number} stem width of an arrow's stem
 * @property {number} lift between an edge's middle and an arrow's foot
 * @property {number} thickest width of the widest edge
 * @property {Box} input
 * @property {Edge[]} incoming input → unit j
 * @property {Node[]} units
 * @property {Edge[]} outgoing unit j → output
 * @property {Node} output
 * @property {{x: number, y: number}[]} headings their middles: input, hidden layer, activation,
 *   output layer, output
 * @property {Box} legend
 */

/** The size that scale 1 is made for. */
const NORMAL = { width: 720, height: 640 };
/** Rows lower than this get no plot. */
const ROOMY = 15;
/** Rows need to be so far apart for arrows to show their size. */
const READABLE = 22;

const clamp = (
  /** @type {number} */ value,
  /** @type {number} */ low,
  /** @type {number} */ high,
) => Math.max(low, Math.min(high, value));
const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
/** The middle of a pixel, where a thin line is sharp. */
const crisp = (/** @type {number} */ value) => Math.floor(value) + 0.5;

/**
 * @param {number} width of the drawing, pixels
 * @param {number} height
 * @param {number} hidden number of hidden units, at least 1
 * @returns {Plan}
 */
export function arrange(width, height, hidden) {
  const frame = measureFrame(width, height, hidden);
  const rows = Array.from({ length: hidden }, (_, j) => crisp(frame.first + j * frame.pitch));
  const places = measureColumns(frame);
  const middle = (rows[0] + rows[hidden - 1]) / 2;
  const input = around(places.input, places.inputWidth, middle, frame.end);
  const output = nodeAt(
    places.output,
    places.outputWidth,
    middle,
    frame.outputHeight,
    places.outputPlot,
    frame,
    0,
  );
  /** @param {number} j 0…hidden−1 → −1…1 */
  const spread = (j) => (hidden === 1 ? 0 : (2 * j) / (hidden - 1) - 1);
  return {
    width,
    height,
    scale: frame.scale,
    type: Math.min(frame.scale, 2),
    narrow: frame.narrow,
    roomy: frame.roomy,
    crowded: frame.stagger > 1,
    pitch: frame.pitch,
    sign: frame.sign,
    arrow: frame.arrow,
    stem: frame.stem,
    lift: frame.lift,
    thickest: frame.thickest,
    input,
    output,
    units: rows.map((y, j) =>
      nodeAt(places.unit, places.unitWidth, y, frame.unitHeight, places.plot, frame, j),
    ),
    incoming: rows.map((y, j) => {
      const port = middle + spread(j) * input.height * 0.36;
      return {
        path: fan(input.x + input.width, port, places.left, y, places.unit),
        slots: slotsAt(places.left, y, frame, j),
      };
    }),
    outgoing: rows.map((y, j) => {
      const port = middle + spread(j) * output.box.height * 0.4;
      return {
        path: fan(places.output, port, places.right + frame.lane, y, places.right),
        slots: slotsAt(places.right, y, frame, j),
      };
    }),
    headings: headingsOf(frame, places),
    legend: {
      x: frame.margin,
      y: height - frame.legend,
      width: width - 2 * frame.margin,
      height: frame.legend,
    },
  };
}

/**
 * Everything that follows from the height: rows, type, arrows.
 * @typedef {ReturnType<typeof measureFrame>} Frame
 */
/** @param {number} width @param {number} height @param {number} hidden */
function measureFrame(width, height, hidden) {
  const narrow = width < 560;
  const scale = narrow
    ? 1
    : clamp(Math.min(width / NORMAL.width, height / NORMAL.height), 0.9, 2.4);
  const margin = narrow ? 8 : 20 * scale;
  const head = narrow ? 40 : 50 * scale;
  const legend = narrow ? 136 : 66 * scale;
  const body = height - head - legend;
  const pitch = Math.min(body / hidden, 110 * scale);
  const roomy = pitch >= (narrow ? READABLE : ROOMY);
  const sign = clamp(pitch * 0.13, 3, 5.5 * scale);
  const thickest = clamp(pitch * 0.26, 1.6, narrow ? 4 : 5.6 * scale);
  const stagger = Math.min(hidden, clamp(Math.ceil(READABLE / pitch), 1, narrow ? 2 : 3));
  const lift = round(clamp(thickest / 2, 0.5, pitch * 0.1 * scale));
  const arrow = clamp(pitch * stagger * 0.44 - lift, 5, 20 * scale);
  const step = narrow ? (stagger > 1 ? 6 : 8) : clamp(pitch * 0.27, 7, 13 * scale);
  const slots = 2 * sign + 2 + 2 * step + (roomy ? 1.2 : 0.9) * step;
  return {
    width,
    narrow,
    scale,
    margin,
    head,
    pitch,
    roomy,
    sign,
    thickest,
    lift,
    arrow,
    step,
    stagger,
    slots,
    stem: Math.max(1.7, Math.min(arrow * 0.17, step * 0.3)),
    lane: stagger * slots,
    first: head + (body - (hidden - 1) * pitch) / 2,
    end: clamp(hidden * pitch * 0.3, 44 * scale, 64 * scale),
    unitHeight: roomy ? Math.min(pitch * 0.86, 80 * scale) : Math.max(pitch * 0.72, 3),
    outputHeight: narrow ? 76 : clamp(hidden * pitch * 0.3, 80 * scale, 108 * scale),
    legend,
  };
}

/** @typedef {ReturnType<typeof measureColumns>} Columns left edges and widths */
/** @param {Frame} frame */
function measureColumns(frame) {
  const { width, narrow, scale, margin, unitHeight, roomy, lane, slots } = frame;
  const inputWidth = narrow ? 34 : 64 * scale;
  const plot = roomy ? (narrow ? 32 : Math.min(unitHeight * 1.65, width * 0.15)) : 0;
  const outputPlot = narrow ? 52 : 116 * scale;
  const unitWidth = lane + chipInset(frame) + plot;
  const outputWidth = slots + chipInset(frame) + outputPlot;
  const fanWidth = (width - 2 * margin - inputWidth - unitWidth - outputWidth - 2 * lane) / 2;
  const left = margin + inputWidth + fanWidth;
  const unit = left + lane;
  const right = unit + unitWidth;
  return {
    input: margin,
    inputWidth,
    left,
    unit,
    unitWidth,
    plot,
    right,
    output: right + lane + fanWidth,
    outputWidth,
    outputPlot,
    fanWidth,
  };
}

/** @param {Frame} frame @param {Columns} places */
function headingsOf({ narrow, scale, lane }, places) {
  const y = narrow ? 14 : 18 * scale;
  const middles = [
    places.input + places.inputWidth / 2 - (narrow ? 4 : 0),
    places.left + (lane - places.fanWidth) / 2 + (narrow ? 6 : 0),
    places.unit + places.unitWidth / 2,
    places.right + (lane + places.fanWidth) / 2,
    places.output + places.outputWidth / 2,
  ];
  return middles.map((x) => ({ x: round(x), y }));
}

/**
 * @param {number} x
 * @param {number} width
 * @param {number} middle
 * @param {number} height
 * @returns {Box}
 */
const around = (x, width, middle, height) => ({
  x: crisp(x),
  y: crisp(middle - height / 2),
  width: Math.round(width),
  height: Math.round(height),
});

/**
 * The space between a box's border and its chip, which sets the chip apart from the edge.
 * @param {Frame} frame
 */
const chipInset = ({ roomy, scale }) => (roomy ? 4 * scale : 1);

/**
 * @param {number} x @param {number} width @param {number} y @param {number} height
 * @param {number} plotWidth @param {Frame} frame @param {number} j
 * @returns {Node}
 */
function nodeAt(x, width, y, height, plotWidth, frame, j) {
  const box = around(x, width, y, height);
  const left = Math.round(box.width - plotWidth);
  const plot = { x: box.x + left, y: box.y, width: box.width - left, height: box.height };
  return {
    box,
    plot: plotWidth > 0 ? plot : null,
    bias: slotsAt(x + chipInset(frame), y, frame, j),
  };
}

/**
 * @param {number} laneX left end
 * @param {number} y
 * @param {Frame} frame
 * @param {number} j row
 * @returns {Slots}
 */
function slotsAt(laneX, y, { sign, step, slots, pitch, stagger, roomy }, j) {
  const x = laneX + (j % stagger) * slots;
  const gradient = x + 2 * sign + 2 + step * 0.5;
  const height = pitch * stagger;
  return {
    y,
    sign: round(x + sign + 1),
    gradient: round(gradient),
    change: round(gradient + step),
    note: round(gradient + step * (roomy ? 2 : 1.8)),
    cell: { x: round(x), y: round(y - height / 2), width: round(slots), height: round(height) },
  };
}

/**
 * An edge: a curve from a port at the fan's narrow end to the lane, then straight through it.
 * @param {number} portX
 * @param {number} portY
 * @param {number} bendX
 * @param {number} y
 * @param {number} endX
 */
function fan(portX, portY, bendX, y, endX) {
  const half = round((portX + bendX) / 2);
  const start = `${round(portX)} ${round(portY)}`;
  return `M${start}C${half} ${round(portY)} ${half} ${y} ${round(bendX)} ${y}H${round(endX)}`;
}

/**
 * Slots of a parameter by its place in named_parameters().
 * @param {Plan} plan
 * @param {number} parameter
 * @param {number} index
 */
export function slotsOf(plan, parameter, index) {
  if (parameter === 0) return plan.incoming[index].slots;
  if (parameter === 1) return plan.units[index].bias;
  return parameter === 2 ? plan.outgoing[index].slots : plan.output.bias;
}

/**
 * An arrow on a line through (0, 0): above the line, pointing up, when `length` is positive; below
 * it, pointing down, when `length` is negative.
 * @param {number} length pixels, signed
 * @param {number} weight width of the stem
 * @param {number} lift pixels between the line's middle and the arrow's foot
 */
export function arrowPath(length, weight, lift) {
  const up = length > 0 ? -1 : 1;
  const size = Math.abs(length);
  const head = Math.min(size, weight * 2.1);
  const [stem, half] = [round(weight / 2), round(weight * 1.45)];
  const [foot, neck, tip] = [lift, lift + size - head, lift + size].map((y) => round(up * y));
  return `M${-stem} ${foot}V${neck}H${-half}L0 ${tip}L${half} ${neck}H${stem}V${foot}Z`;
}

/**
 * A line through points; empty when one of them is not finite.
 * @param {Float64Array} xs pixels
 * @param {Float64Array} ys pixels
 */
export function linePath(xs, ys) {
  let path = "";
  for (let i = 0; i < xs.length; i++) {
    const y = Math.round(ys[i] * 10) / 10;
    if (!Number.isFinite(y)) return "";
    path += `${i ? "L" : "M"}${Math.round(xs[i] * 10) / 10} ${y}`;
  }
  return path;
}
