"""Routes for runs, commands and data sets: /api/runs, /api/datasets, /api/loop and /api/health."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response

from livegrad import __version__
from livegrad.api.deps import HubHere, ListedRunHere, RunHere, RunId
from livegrad.api.problems import responses
from livegrad.api.schemas import Answer, DataSchema, DatasetSchema, Health, LoopSchema, Run
from livegrad.config import Command, RunConfig
from livegrad.datasets import DATASETS
from livegrad.errors import Forbidden
from livegrad.export.loop_source import loop_source
from livegrad.runs.launcher import Launcher

router = APIRouter(prefix="/api")

_CONFIGS: dict[str, Any] = {
    "default": {"summary": "The default run", "value": {}},
    "adam": {
        "summary": "Adam on mini-batches",
        "value": {"optimizer": {"kind": "adam", "lr": 0.01}, "batch_size": 3},
    },
}
_COMMANDS: dict[str, Any] = {
    "play": {"value": {"kind": "play"}},
    "pause": {"value": {"kind": "pause"}},
    "step": {"value": {"kind": "step", "count": 10}},
    "phase": {"value": {"kind": "phase"}},
    "tune": {"value": {"kind": "tune", "lr": 0.01, "pace": None}},
}


@router.get("/health", response_model=Health, tags=["server"])
async def health(hub: HubHere) -> Any:
    """Return that the server is up, and whether torch has been loaded."""
    return {"status": "ok", "version": __version__, "torch": torch_state(hub.launcher)}


def torch_state(launcher: Launcher) -> str:
    """Return whether torch is "loading", "ready", or "failed" to load."""
    if launcher.warm_failure is not None:
        return "failed"
    return "ready" if launcher.is_warm else "loading"


@router.get("/datasets", response_model=list[DatasetSchema], tags=["server"])
async def datasets() -> Any:
    """List the built-in data sets with their points, names and units."""
    return [
        {
            "name": dataset.name,
            "title": dataset.title,
            "description": dataset.description,
            "x": asdict(dataset.x_axis),
            "y": asdict(dataset.y_axis),
            "points": {"x": dataset.x, "y": dataset.y},
        }
        for dataset in DATASETS.values()
    ]


@router.get("/loop", response_model=LoopSchema, tags=["server"])
async def loop() -> Any:
    """Return the training loop's source, as the dashboard shows it."""
    return asdict(loop_source())


@router.get("/runs", response_model=list[Run], tags=["runs"])
async def runs(hub: HubHere) -> Any:
    """List all runs, newest first."""
    return [run.as_json() for run in hub.runs()]


@router.post(
    "/runs",
    status_code=201,
    response_model=Run,
    responses=responses(400, 409, 413, 415, 422),
    tags=["runs"],
)
async def create(
    hub: HubHere,
    request: Request,
    response: Response,
    config: Annotated[RunConfig, Body(openapi_examples=_CONFIGS)] = RunConfig(),  # noqa: B008  # immutable
) -> Any:
    """Make a run. Every field has a default; the run starts paused at step 0."""
    run = await hub.create(config)
    response.headers["Location"] = str(request.url_for("run", run=run.id).path)
    return run.as_json()


@router.get("/runs/{run}", response_model=Run, responses=responses(404), tags=["runs"])
async def run(run: ListedRunHere) -> Any:
    """Return one run."""
    return run.as_json()


@router.delete("/runs/{run}", status_code=204, responses=responses(404), tags=["runs"])
async def delete(run: RunId, hub: HubHere) -> None:
    """Stop a run, and remove it with its whole history."""
    await hub.delete(run)


@router.post(
    "/runs/{run}/commands",
    response_model=Answer,
    responses=responses(400, 404, 409, 413, 415, 422, 503),
    tags=["runs"],
)
async def command(
    run: RunId, hub: HubHere, command: Annotated[Command, Body(openapi_examples=_COMMANDS)]
) -> Any:
    """Play, pause, step, advance by one phase, or tune.

    The answer comes once the command is applied, and for step and phase once it is done.
    """
    return await hub.command(run, command)


@router.get(
    "/runs/{run}/data", response_model=DataSchema, responses=responses(404, 409), tags=["runs"]
)
async def data(run: RunHere) -> Any:
    """Return the float32 numbers that the model is fed, with names and units."""
    if not run.entry.data:
        raise Forbidden(f"run {run.id} is {run.entry.state}: its trainer has not sent its data yet")
    return run.entry.data
