"""Routes for continued runs and for comparing runs: /api/runs/{id}/branches and …/divergence."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from livegrad.api.deps import HubHere, RunHere
from livegrad.api.problems import responses
from livegrad.api.schemas import Run, Scalar
from livegrad.errors import Forbidden, ThinnedOut, UnknownThing
from livegrad.runs.branching import continued
from livegrad.runs.divergence import Side, find_divergence
from livegrad.runs.hub import Hub
from livegrad.runs.run import LiveRun

router = APIRouter(prefix="/api/runs/{run}", tags=["history"])


class Branch(BaseModel):
    """The step to continue from, and the settings to change.

    These are any fields of RunConfig except hidden and named_layers.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    step: int = Field(
        ge=0,
        le=2**53,
        description="The step to continue from, with its parameters and its optimizer's state.",
    )
    changes: dict[str, Any] = Field(
        {},
        description=(
            "The settings that differ from those of the continued run; optimizer may be given in "
            "part."
        ),
    )


class Divergence(BaseModel):
    """The step at which two runs part.

    Every value is null if they agree in all steps that both have.
    """

    comparable: bool = Field(
        description=(
            "Whether the runs can be compared: they have steps in common, and parameters of the "
            "same shapes."
        )
    )
    first: int | None = Field(description="First step that both runs have.")
    last: int | None = Field(description="Last step that both runs have.")
    step: int | None = Field(description="First step whose parameters differ in any bit.")
    parameter: str | None = Field(
        description=("The element with the largest difference at that step.")
    )
    difference: Scalar = Field(description="The size of that difference.")


_EXAMPLES: dict[str, Any] = {
    "same": {"summary": "Repeat it, bit for bit", "value": {"step": 3}},
    "other": {
        "summary": "With another learning rate",
        "value": {"step": 3, "changes": {"optimizer": {"lr": 0.01}}},
    },
}


@router.post(
    "/branches",
    status_code=201,
    response_model=Run,
    responses=responses(400, 404, 409, 410, 413, 415, 422),
)
async def branch(
    hub: HubHere,
    run: RunHere,
    request: Request,
    response: Response,
    body: Annotated[Branch, Body(openapi_examples=_EXAMPLES)],
) -> Any:
    """Make a run that continues this one from a step.

    It has the same numbers and the same position in the data.
    """
    entry = run.entry
    await _check_step(hub, run, body.step)
    lr, pace = await asyncio.to_thread(hub.log.tuning, run.id, body.step)
    try:
        config = continued(entry.config, body.step, lr, pace, body.changes)
    except ValidationError as error:
        raise RequestValidationError(
            [{**e, "loc": ("body", "changes", *e["loc"])} for e in error.errors()]
        ) from error
    child = await hub.create(config, run.id, body.step)
    response.headers["Location"] = str(request.url_for("run", run=child.id).path)
    return child.as_json()


async def _check_step(hub: Hub, run: LiveRun, step: int) -> None:
    entry = run.entry
    if entry.last_step < entry.first_step:
        raise Forbidden(f"run {run.id} is {entry.state}: it has no step yet")
    if not entry.first_step <= step <= entry.last_step:
        raise UnknownThing(
            f"there is no step {step}; there are steps {entry.first_step} to {entry.last_step}"
        )
    if await asyncio.to_thread(hub.log.frame, run.id, step) is None:
        raise ThinnedOut(step, await asyncio.to_thread(hub.log.nearest, run.id, step))


@router.get("/divergence", response_model=Divergence, responses=responses(404, 422))
async def divergence(
    hub: HubHere,
    run: RunHere,
    other: Annotated[
        str, Query(max_length=64, description="The other run's id.", examples=["90bd1f44"])
    ],
) -> Any:
    """Return the step at which this run and another part, and by how much."""
    one, two = run.entry, hub.run(other).entry
    first, last = max(one.first_step, two.first_step), min(one.last_step, two.last_step)
    nothing = {"step": None, "parameter": None, "difference": None}
    if last < first:
        return {"comparable": False, "first": None, "last": None, **nothing}
    mine, theirs = (
        Side(entry.columns, hub.log.frames(entry.id, first, last)) for entry in (one, two)
    )
    found = await asyncio.to_thread(find_divergence, mine, theirs)
    where = nothing if found is None else found.as_json()
    return {"comparable": found is not None, "first": first, "last": last, **where}
