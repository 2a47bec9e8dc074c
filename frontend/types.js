// The types that several modules share: what the server sends, the page's state, and the actions
// that change it. Types only: nothing here runs.

/** @import { Activation } from "./lib/forward.js" */

/** @typedef {"zero_grad"|"forward"|"loss"|"backward"|"step"} Phase */
/** @typedef {"none"|"fresh"|"stale"} GradState */
/** @typedef {"play"|"pause"|"phase"|"step"|"tune"} CommandKind */
/** @typedef {"starting"|"paused"|"running"|"finished"|"interrupted"|"failed"} RunState */
/**
 * A number, or the text of one that JSON cannot write.
 * @typedef {number|null|"nan"|"inf"|"-inf"} Scalar
 */

/**
 * One run, as the server describes it (`GET /api/runs/{id}`, `hello`, `state`).
 * @typedef {Object} Run
 * @property {string} id
 * @property {string} name
 * @property {RunConfig|null} config immutable; null: the log is damaged, and it cannot be read
 * @property {RunState} state
 * @property {CommandKind[]} allowed the commands that the server would not refuse now
 * @property {Phase} phase the last phase that was completed; between iterations it is "step"
 * @property {number} step completed optimizer updates
 * @property {Scalar} loss loss of the last iteration, null before the first
 * @property {Scalar} validation_loss
 * @property {number} lr the learning rate in force
 * @property {number|null} pace steps per second that were asked for; null: as fast as possible
 * @property {string|null} reason why it failed or was interrupted, in words
 * @property {string} created_at ISO 8601, UTC
 * @property {number} epoch how many times a trainer was started for it
 * @property {GradState[]} grad_states one per parameter, in named_parameters() order
 * @property {number} [first_step] step of its first record: 0, or where it left its parent
 * @property {{run: string, step: number}|null} [parent] the run and the step that it continues
 */

/**
 * @typedef {Object} RunConfig
 * @property {string} name
 * @property {string} dataset
 * @property {number} hidden 1 to 64
 * @property {Activation} activation
 * @property {boolean} named_layers
 * @property {OptimizerConfig} optimizer
 * @property {boolean} zero_grad false: the loop leaves .grad alone, so gradients add up
 * @property {number} seed
 * @property {number|null} [data_seed]
 * @property {number|null} batch_size null: the full batch
 * @property {number} max_steps
 * @property {number|null} pace
 */

/**
 * @typedef {{
 *   kind: string,
 *   lr: number,
 *   [argument: string]: any,
 * }} OptimizerConfig
 */

/**
 * Where one tensor or number stands in a record, in units of one float32.
 * @typedef {Object} Column
 * @property {"scalar"|"parameter"|"gradient"|"state"} role
 * @property {string} name named_parameters() name; for scalars "loss", "validation_loss", "lr"
 * @property {number[]} shape [] for one number
 * @property {number} offset
 * @property {string} [slot] for role "state": momentum_buffer, exp_avg, …
 */

/**
 * The columns of a run, sorted for quick reading.
 * @typedef {Object} Layout
 * @property {number} floats length of one record
 * @property {Map<string, number>} scalars name → offset
 * @property {ParameterColumn[]} parameters in named_parameters() order
 * @property {Column[]} states
 */

/**
 * @typedef {Object} ParameterColumn
 * @property {string} name `hidden_linear.weight` or `0.weight`
 * @property {number[]} shape
 * @property {number} size product of shape
 * @property {number} value offset of its first value
 * @property {number} gradient offset of its first gradient; NaN there when .grad is None
 */

/**
 * One binary message of the stream.
 * @typedef {Object} Frame
 * @property {"records"|"phase"} kind phase: one record, from inside an iteration
 * @property {number} first step of the first record
 * @property {number} count
 * @property {number} epoch
 * @property {number} skipped steps left out for this viewer just before this frame
 * @property {number} time unix seconds at which the trainer finished the last record
 * @property {Float32Array} values count × Layout.floats
 */

/**
 * One text message of the stream, as stream/protocol.js reads it.
 * @typedef {{kind: "hello", run: Run, layout: Layout|null}
 *   | {kind: "state", run: Run}
 *   | {kind: "error", title: string, detail: string}
 *   | {kind: "other"}} Message
 *   layout is null while the trainer starts; "other" is a kind that a newer server sends
 */

/** What the page sends over the stream. @typedef {{kind: "ack", step: number}} ViewerMessage */

/** Consecutive records. @typedef {{first: number, values: Float32Array}} Chunk */
/**
 * One line of a chart (`GET /series`).
 * @typedef {{name: string, steps: number[], values: Scalar[]}} Series
 */
/** Steps from … to, both included. @typedef {{from: number, to: number}} StepRange */

/**
 * How `GET /divergence` answers: the steps that two runs have in common, and the first that
 * differs.
 * @typedef {Object} Divergence
 * @property {boolean} comparable false: their parameters have different shapes
 * @property {number|null} first null: no step in common
 * @property {number|null} last
 * @property {number|null} step the first step at which they differ; null: they are the same
 * @property {string|null} parameter the one that differs most there
 * @property {Scalar} difference
 */

/**
 * RFC 9457. `nearest`: kept steps around one that was thinned out.
 * @typedef {Object} Problem
 * @property {string} type
 * @property {string} title
 * @property {number} status 0: the server did not answer
 * @property {string} detail
 * @property {any[]} [errors]
 * @property {number[]} [nearest]
 */

/**
 * The numbers on the screen: one record, or the inside of a half-done iteration.
 * @typedef {Object} Moment
 * @property {number} step
 * @property {Phase} phase
 * @property {Float32Array} values one record, as `Layout` describes it
 * @property {GradState[]} gradStates
 * @property {Float32Array|null} before record step − 1, for Δ; null when unknown or at step 0
 */

/**
 * Name and unit of one axis of a data set. The model is fed `scale` × the number that is shown.
 * @typedef {{name: string, unit: string, scale: number}} Axis
 */

/** @typedef {{x: number[], y: number[]}} Points */

/**
 * The numbers that the model is fed (`GET /api/runs/{id}/data`).
 * @typedef {Object} RunData
 * @property {Points} train
 * @property {Points} validation
 * @property {Axis} x
 * @property {Axis} y
 */

/**
 * A built-in data set (`GET /api/datasets`).
 * @typedef {Object} DataSet
 * @property {string} name
 * @property {string} title
 * @property {string} description
 * @property {Axis} x
 * @property {Axis} y
 * @property {Points} points
 */

/**
 * What the cursor or the keyboard rests on.
 * @typedef {{kind: "parameter", parameter: number, index: number}
 *   | {kind: "unit", unit: number}
 *   | {kind: "input"} | {kind: "output"}} Target
 *   parameter: position in Layout.parameters; index: flat, row-major
 */

/**
 * The training loop's source and the line of each phase, counted from 0 (`GET /api/loop`).
 * @typedef {{lines: string[], phases: Record<Phase, number>}} LoopSource
 */

/**
 * The rows of the charts, in step order. A value: adding rows gives another one (chart_rows.js).
 * @typedef {Object} ChartRows
 * @property {Float64Array} steps
 * @property {Float64Array} loss
 * @property {Float64Array} validation
 * @property {Float64Array[]} norms ‖.grad‖, one array per parameter
 * @property {number} length how many rows there are; what the arrays hold behind them is not part
 * @property {{used: number}} shared rows that any value over the same arrays has
 */

/**
 * The past step that is on the screen, or on its way there.
 * @typedef {Object} Visited
 * @property {number} step the one that was asked for
 * @property {Moment|null} moment its record; until that has come, the nearest one
 * @property {boolean} isMoving the timeline is dragged or played
 * @property {number[]|null} kept the nearest kept steps, when this one was thinned out
 */

/**
 * speed: steps a second; null: the whole run in about 20 s.
 * @typedef {{direction: -1|0|1, speed: number|null}} Playback
 */

/**
 * Events of the run, shown until they are over.
 * @typedef {{restarted: string|null, log: string|null}} News
 */

/**
 * A run whose lines are laid over the charts.
 * @typedef {Object} Overlay
 * @property {Run} run
 * @property {Series[]} series in the order of overlay_series.js's SERIES
 * @property {string|undefined} base the run that `divergence` compares it with
 * @property {Divergence|null} divergence
 */

/**
 * Everything that the views draw.
 * @typedef {Object} State
 * @property {"connecting"|"open"|"lost"|"signed-out"} connection
 * @property {Run|null} run the run on the screen
 * @property {Run[]} runs newest first
 * @property {boolean} loaded the server has answered with its runs once
 * @property {string|undefined} opened id of the run on the screen, or of the one being opened
 * @property {string|null} missing the run that was asked for and does not exist
 * @property {Layout|null} layout
 * @property {RunData|null} data
 * @property {Moment|null} moment
 * @property {Moment|null} settled the last whole record; the moment itself between iterations
 * @property {boolean} diverged the newest loss or a parameter is NaN or infinite
 * @property {Nonfinite|null} nonfinite the run's first such number, once it was found
 * @property {ChartRows|null} rows
 * @property {[number, number][]|null} exact ranges of which every step is kept; null: unknown
 * @property {Visited|null} visited null: the screen shows the newest step
 * @property {Playback} playback
 * @property {Target|null} target hovered or focused, else the pinned one
 * @property {Target|null} hovered what the cursor or the focus rests on
 * @property {Target|null} pin what was clicked
 * @property {LoopSource|null} loop
 * @property {number} stepsPerSec measured
 * @property {{time: number, step: number}[]} rateSamples when the last steps were finished
 * @property {string|null} busy the command under way
 * @property {Problem|null} problem the last refusal, until it is dismissed
 * @property {News} news
 * @property {"loading"|"ready"|"failed"} torch whether the server's warm trainer has imported it
 * @property {string[]} overlaid ids of the runs whose lines are laid over the charts
 * @property {Overlay[]} overlays what is known of them so far
 * @property {boolean} reducedMotion
 * @property {boolean} dark the theme on the screen
 */

/**
 * The first number of a run that is not finite.
 * @typedef {Object} Nonfinite
 * @property {number} step the first kept one that has such a number
 * @property {"loss"|"gradient"|"value"} role
 * @property {string} name of the element: hidden_linear.weight[9, 0]
 * @property {number} value
 * @property {number|null} finite the last kept step before it; null: there is none
 */

/**
 * Everything that can change the state. store.js has one reducer for each.
 * @typedef {{type: "open", id: string}
 *   | {type: "close"}
 *   | {type: "missing", id: string}
 *   | {type: "connection", connection: State["connection"]}
 *   | {type: "hello", run: Run, layout: Layout|null}
 *   | {type: "state", run: Run}
 *   | {type: "frame", frame: Frame}
 *   | {type: "recordBefore", step: number, values: Float32Array}
 *   | {type: "pastSeries", series: Series[]}
 *   | {type: "backfillRecords", chunks: Chunk[], wanted: StepRange}
 *   | {type: "backfillSeries", series: Series[], wanted: StepRange}
 *   | {type: "data", data: RunData}
 *   | {type: "runs", runs: Run[]}
 *   | {type: "loop", loop: LoopSource}
 *   | {type: "health", torch: State["torch"]}
 *   | {type: "visit", step: number, isMoving?: boolean}
 *   | {type: "visitedRecord", step: number, values: Float32Array, before: Float32Array|null}
 *   | {type: "visitedThinned", step: number, kept: number[]}
 *   | {type: "exactRanges", exact: [number, number][]}
 *   | {type: "nonfinite", nonfinite: Nonfinite}
 *   | {type: "stopMoving"}
 *   | {type: "live"}
 *   | {type: "playback", direction?: -1|0|1, speed?: number}
 *   | {type: "news", title: string, detail: string}
 *   | {type: "dismissNews"}
 *   | {type: "overlay", id: string, isShown: boolean}
 *   | {type: "overlays", overlays: Overlay[]}
 *   | {type: "target", target: Target|null}
 *   | {type: "pin", target: Target|null}
 *   | {type: "busy", busy: string|null}
 *   | {type: "problem", problem: Problem|null}
 *   | {type: "resized"}
 *   | {type: "appearance", dark: boolean, reducedMotion: boolean}} Action
 */

/** @typedef {(callback: () => void, ms: number) => unknown} SetTimer */

/** @template {Action["type"]} T @typedef {Extract<Action, {type: T}>} ActionOf */

/**
 * @typedef {Object} Store
 * @property {State} state read only
 * @property {(action: Action) => void} dispatch reduces the state, then has it drawn
 */

/**
 * A view: mounted once, drawn when the state has changed.
 * @typedef {{draw: (state: State) => void, unmount: () => void}} View
 */

export {};
