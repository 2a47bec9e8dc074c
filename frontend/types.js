// The words of the page: what the views are given to draw. Types only; knows nothing about the DOM or the socket.

/**
 * One run, as the server describes it (`GET /api/runs/{id}`, `hello`, `state`).
 * @typedef {Object} Run
 * @property {string} id
 * @property {string} name
 * @property {RunConfig} config immutable
 * @property {"starting"|"paused"|"running"|"finished"|"interrupted"|"failed"} state
 * @property {Phase} phase the last phase completed; between iterations it is "step"
 * @property {number} step completed optimizer updates
 * @property {Scalar} loss loss of the last iteration, null before the first
 * @property {Scalar} validation_loss
 * @property {number} lr the learning rate in force
 * @property {number|null} pace steps per second asked for; null is as fast as it goes
 * @property {string|null} reason why it failed or was interrupted, in words
 * @property {string} created_at ISO 8601, UTC
 * @property {number} epoch number of times that a trainer was started for it
 * @property {GradState[]} grad_states one per parameter, in named_parameters() order
 * @property {number} [first_step] step of its first record: 0, or where it left its parent
 * @property {{run: string, step: number}|null} [parent] the run that it continues, and from which step on
 */

/** @typedef {"zero_grad"|"forward"|"loss"|"backward"|"step"} Phase */
/** @typedef {"none"|"fresh"|"stale"} GradState */
/** A number, or one that JSON cannot write. @typedef {number|null|"nan"|"inf"|"-inf"} Scalar */

/**
 * @typedef {Object} RunConfig
 * @property {string} name
 * @property {string} dataset
 * @property {number} hidden 1 to 64
 * @property {"tanh"|"sigmoid"|"relu"|"none"} activation
 * @property {boolean} named_layers
 * @property {{kind: "sgd"|"adam"|"adamw"|"rmsprop", lr: number, [argument: string]: any}} optimizer
 * @property {boolean} zero_grad false: the loop leaves .grad alone, so gradients add up
 * @property {number} seed
 * @property {number|null} [data_seed]
 * @property {number|null} batch_size null: the full batch
 * @property {number} max_steps
 * @property {number|null} pace
 */

/**
 * Where something stands in a record, in units of one float32.
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
 * The numbers that stand on the screen: one record, or the inside of a half-done iteration.
 * @typedef {Object} Moment
 * @property {number} step
 * @property {Phase} phase
 * @property {Float32Array} values one record, as `Layout` describes it
 * @property {GradState[]} gradStates
 * @property {Float32Array|null} before record step − 1, for Δ; null when unknown or at step 0
 */

/**
 * Names and units of one axis of a data set.
 * @typedef {{name: string, unit: string, scale: number}} Axis scale: the model is fed scale × what is shown
 */

/**
 * The numbers that the model is fed (`GET /api/runs/{id}/data`).
 * @typedef {Object} RunData
 * @property {{x: number[], y: number[]}} train
 * @property {{x: number[], y: number[]}} validation
 * @property {Axis} x
 * @property {Axis} y
 */

/** A built-in data set (`GET /api/datasets`). @typedef {{name: string, title: string, description: string, x: Axis, y: Axis, points: {x: number[], y: number[]}}} DataSet */

/**
 * What the cursor or the keyboard rests on.
 * @typedef {{kind: "parameter", parameter: number, index: number}
 *   | {kind: "unit", unit: number}
 *   | {kind: "input"} | {kind: "output"}} Target
 *   parameter: position in Layout.parameters; index: flat, row-major
 */

/**
 * The training loop's source and which of its lines is which phase (`GET /api/loop`).
 * @typedef {{lines: string[], phases: Record<Phase, number>}} LoopSource lines are numbered from 0
 */

/**
 * Series for the charts, one typed array per line, in step order.
 * @typedef {Object} ChartRows
 * @property {Float64Array} steps
 * @property {Float64Array} loss
 * @property {Float64Array} validation
 * @property {Float64Array[]} norms ‖.grad‖, one per parameter
 * @property {number} length how much of each array is filled
 */

/**
 * A look back.
 * @typedef {Object} Visited
 * @property {number} step the one that was asked for
 * @property {Moment|null} moment what can be shown of it: its record, or until that is there the nearest one
 * @property {boolean} isMoving one is dragging or playing: there is no time for words
 * @property {number[]|null} kept it was thinned out, and these are the nearest that are there
 */

/**
 * Everything that the views draw.
 * @typedef {Object} State
 * @property {"connecting"|"open"|"lost"} connection
 * @property {Run|null} run the run on the screen
 * @property {Run[]} runs newest first
 * @property {Layout|null} layout
 * @property {RunData|null} data
 * @property {Moment|null} moment
 * @property {ChartRows|null} rows
 * @property {Target|null} target hovered or focused, else the pinned one
 * @property {boolean} pinned
 * @property {LoopSource|null} loop
 * @property {number} stepsPerSec measured
 * @property {string|null} busy the command under way
 * @property {Problem|null} problem the last refusal, until dismissed
 * @property {boolean} reducedMotion
 * @property {boolean} dark the theme on the screen, whoever chose it
 * @property {boolean} diverged the newest loss or a parameter is NaN or infinite
 * @property {Moment|null} settled the last whole record; the moment itself unless an iteration is half done
 * @property {Target|null} hovered what the cursor or the focus rests on now
 * @property {Target|null} pin what was clicked
 * @property {{time: number, step: number}[]} rateSamples when which step was finished, in the last moments
 * @property {"loading"|"ready"|"failed"} torch whether the server's warm trainer has imported it
 * @property {string|null} missing the run that was asked for and is not there
 * @property {string} [opened] id of the run on the screen, or about to be
 * @property {Visited|null} visited null: the screen shows now
 * @property {[number, number][]|null} exact stretches of which every step is kept; null: not asked yet
 * @property {{direction: -1|0|1, speed: number|null}} playback speed in steps a second; null: a whole run in a while
 * @property {{restarted: string|null, log: string|null}} news what happened to the run, until it is over
 * @property {boolean} loaded the list of runs has been answered once
 * @property {string[]} overlaid ids of the runs that are laid over the charts
 * @property {Overlay[]} overlays what is known of them so far
 */

/**
 * A run laid over the charts of the one on the screen.
 * @typedef {Object} Overlay
 * @property {Run} run
 * @property {import("./time/record_cache.js").Series[]} series in the order of overlay.js's SERIES
 * @property {string|undefined} base the run on the screen when it was asked where the two part
 * @property {import("./compare/run_tree.js").Divergence|null} divergence
 */

/** RFC 9457. @typedef {{type: string, title: string, status: number, detail: string, errors?: any[], nearest?: number[]}} Problem nearest: kept steps, where one was thinned out */

/**
 * @typedef {Object} Store
 * @property {State} state read only
 * @property {(action: Action) => void} dispatch reduce, then invalidate
 */

/** @typedef {{type: string, [field: string]: any}} Action */

/** A view: mounted once, drawn when something changed. @typedef {{draw: (state: State) => void, unmount: () => void}} View */

export {};
