"""Routes for a run's snapshots, records and series, as stored in the log."""

import asyncio
import contextlib
import json
from collections.abc import Generator, Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from livegrad.api import limits
from livegrad.api.deps import HubHere, RunHere, ThreadsHere
from livegrad.api.long_responses import Paged, Threads
from livegrad.api.problems import responses
from livegrad.api.ranges import From, To, bounds, steps_there
from livegrad.api.schemas import Kept, OneParameter, SeriesSchema, SnapshotSchema
from livegrad.errors import ThinnedOut, UnknownThing
from livegrad.export.progress import Progress
from livegrad.protocol import Frame, encode, grad_states_of, join
from livegrad.runs.hub import Hub
from livegrad.runs.run import LiveRun
from livegrad.runs.torch_worker import work
from livegrad.store.blocks import BLOCK
from livegrad.store.curves import MAX_POINTS, curves
from livegrad.store.snapshot import Snapshot, take

router = APIRouter(prefix="/api/runs/{run}")
# needs torch, so it is called in another process
STATE_DICT = "livegrad.training.state_dict:state_dict"
FRAME_RECORDS = 4096  # at most, in one frame of an answer; fewer if records are large
AT_ONCE_RECORDS = 256  # read completely before they are sent
RECORDS_TYPE = "application/octet-stream"

Step = Annotated[
    int | None,
    Query(
        ge=0,
        le=2**53,
        description=("Completed updates; by default the present moment."),
        examples=[240],
    ),
]
Name = Annotated[str, Path(description="A parameter's name.", examples=["hidden_linear.weight"])]
Format = Annotated[
    Literal["json", "safetensors", "npz", "csv", "state_dict"],
    Query(description="JSON, or a file format.", examples=["json"]),
]
_TYPES = {
    "safetensors": "application/octet-stream",
    "npz": "application/octet-stream",
    "csv": "text/csv; charset=utf-8",
    "state_dict": "application/octet-stream",
}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "example": "format=safetensors, npz (both with run, step and configuration in "
                "__metadata__), or state_dict: a .pt for PyTorch, read with weights_only=True",
            },
            "text/csv": {
                "schema": {"type": "string"},
                "example": "name,value,grad\n"
                '"hidden_linear.weight[0, 0]",0.005846121348440647,-26.665882110595703\n',
            },
        }
    }
}


async def _snapshot(hub: Hub, run: LiveRun, threads: Threads, step: int | None) -> Snapshot:
    if step is None:
        standing = run.standing()
        return take(
            run.id,
            run.entry.config,
            standing.frame.first,
            standing.phase,
            standing.frame.payload,
            run.entry.columns,
            standing.grad_states,
        )
    if not run.entry.first_step <= step <= run.entry.last_step:
        raise UnknownThing(f"there is no step {step}; {steps_there(run)}")
    frame = await threads.snapshot(hub.log.frame, run.id, step)
    if frame is None:
        raise ThinnedOut(step, await threads.snapshot(hub.log.nearest, run.id, step))
    entry = run.entry
    states = grad_states_of(step, frame.payload, entry.columns)
    return take(entry.id, entry.config, step, "step", frame.payload, entry.columns, states)


@router.get(
    "/parameters",
    response_model=SnapshotSchema,
    responses=responses(404, 409, 410, 422, 503) | _FILES,
    tags=["parameters"],
)
async def parameters(
    hub: HubHere, run: RunHere, threads: ThreadsHere, step: Step = None, format: Format = "json"
) -> Any:
    """Return every parameter, its .grad and the loss at a step, or at this moment.

    This moment may be inside an iteration.
    """
    snapshot = await _snapshot(hub, run, threads, step)
    if format == "json":
        return Response(_json(snapshot.as_json()), media_type="application/json")
    body = await _file(hub, snapshot, format)
    ending = "pt" if format == "state_dict" else format
    name = f"livegrad-{run.id}-step-{snapshot.step}.{ending}"
    return Response(
        body,
        media_type=_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _file(hub: Hub, snapshot: Snapshot, format: Format) -> bytes | str:
    if format == "state_dict":
        values = {parameter.name: parameter.value.tobytes() for parameter in snapshot.parameters}
        return await work(hub.launcher, STATE_DICT, json.dumps(snapshot.config), values)
    if format == "safetensors":
        return snapshot.as_safetensors()
    return snapshot.as_npz() if format == "npz" else snapshot.as_csv()


@router.get(
    "/parameters/{name}",
    response_model=OneParameter,
    responses=responses(404, 409, 410, 422),
    tags=["parameters"],
)
async def parameter(
    hub: HubHere, run: RunHere, threads: ThreadsHere, name: Name, step: Step = None
) -> Any:
    """Return one parameter by its named_parameters() name, or by its index name (0.weight)."""
    snapshot = await _snapshot(hub, run, threads, step)
    return Response(_json(snapshot.one_as_json(name)), media_type="application/json")


def _json(plain: Any) -> bytes:
    return json.dumps(plain, allow_nan=False, separators=(",", ":")).encode()


@router.get(
    "/records",
    response_class=Response,
    responses=responses(404, 422, 503) | {200: {"content": {"application/octet-stream": {}}}},
    tags=["parameters"],
)
async def records(
    hub: HubHere, run: RunHere, threads: ThreadsHere, first: From = 0, last: To = None
) -> Response:
    """Return stored records as raw bytes, in frames of up to 4,096 records as on the stream."""
    start, end = bounds(run, first, last)
    frames = _encoded(hub.log.frames(run.id, start, end))
    # one call in a thread; a streamed answer needs one for every piece
    if end - start < AT_ONCE_RECORDS:
        return Response(await threads.snapshot(b"".join, frames), media_type=RECORDS_TYPE)
    return Paged(frames, RECORDS_TYPE, {}, threads, Progress(run.id))


def _encoded(frames: Iterator[Frame]) -> Iterator[bytes]:
    with contextlib.closing(_bundled(frames)) as bundled:
        yield from map(encode, bundled)


def _bundled(frames: Iterator[Frame]) -> Generator[Frame]:
    # Consecutive records are joined up to the limit, but a frame never holds two epochs.
    kept: list[Frame] = []
    for frame in frames:
        count = sum(f.count for f in kept) + frame.count
        size = sum(len(f.payload) for f in kept) + len(frame.payload)
        full = count > FRAME_RECORDS or size > limits.RECORDS_BYTES
        is_next = bool(kept) and (frame.first, frame.epoch) == (kept[-1].last + 1, kept[-1].epoch)
        if kept and (full or not is_next):
            yield join(kept)
            kept = []
        kept.append(frame)
    if kept:
        yield join(kept)


@router.get(
    "/series", response_model=SeriesSchema, responses=responses(404, 422), tags=["parameters"]
)
async def series(
    hub: HubHere,
    run: RunHere,
    name: Annotated[
        list[str],
        Query(
            max_length=80,
            description=(
                "loss, validation_loss, lr, gradient_norm/NAME, parameter_norm/NAME, or a single "
                "element: NAME[9, 0], NAME.grad[9, 0]. Repeatable."
            ),
            examples=[["loss", "gradient_norm/hidden_linear.weight", "hidden_linear.weight[9, 0]"]],
        ),
    ] = ["loss"],  # noqa: B006  # FastAPI copies it
    points: Annotated[
        int,
        Query(
            ge=2,
            le=MAX_POINTS,
            description=("The approximate number of points of each series."),
            examples=[1000],
        ),
    ] = 1000,
    first: From = 0,
    last: To = None,
) -> Any:
    """Return thinned series for charts, with all minima and maxima kept."""
    start, end = bounds(run, first, last)

    def read() -> Any:
        return curves(hub.log.history(run.id), run.entry.columns, name, start, end, points)

    answer = {"run": run.id, "from": start, "to": end, "series": await asyncio.to_thread(read)}
    return Response(_json(answer), media_type="application/json")


@router.get("/kept", response_model=Kept, responses=responses(404), tags=["parameters"])
async def kept(hub: HubHere, run: RunHere) -> Any:
    """Return the steps whose records are kept.

    These are ranges of steps, every 256th step outside of them, and single steps.
    """
    stretches = await asyncio.to_thread(hub.log.kept, run.id)
    alone = [first for first, last in stretches if first == last]
    return {
        "run": run.id,
        "first": run.entry.first_step,
        "last": run.entry.last_step,
        "exact": [stretch for stretch in stretches if stretch[0] != stretch[1]],
        "every": BLOCK,
        "single": [step for step in alone if step % BLOCK],
    }
