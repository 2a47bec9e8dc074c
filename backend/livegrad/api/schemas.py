"""The shapes of the answers, for the schema shown by `/docs`.

Knows nothing of how the answers are made.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from livegrad.config import RunConfig
from livegrad.lifecycle.states import CommandKind, Phase, State
from livegrad.protocol import GradState

Scalar = Annotated[
    float | Literal["nan", "inf", "-inf"] | None,
    Field(description="NaN and infinities are texts; null means that there is none yet."),
]


class Health(BaseModel):
    """Whether the server is up, and whether torch has been loaded."""

    status: Literal["ok"]
    version: str
    torch: Literal["loading", "ready", "failed"]


class Parent(BaseModel):
    """The run that a run continues, and the step from which it does."""

    run: str
    step: int


class Run(BaseModel):
    """One training, with an immutable configuration and an append-only history."""

    id: str = Field(examples=["3f2a9c1e"])
    name: str
    config: RunConfig | None = Field(
        description="null: the run log is damaged, and the configuration cannot be read."
    )
    state: State
    allowed: list[CommandKind] = Field(
        description="The commands that are not refused in this state."
    )
    phase: Phase = Field(description="The last phase completed; between iterations, step.")
    step: int = Field(description="Completed optimizer updates.")
    loss: Scalar
    validation_loss: Scalar
    lr: float = Field(description="Learning rate in force.")
    pace: float | None = Field(description="Requested steps per second; null is full speed.")
    reason: str | None = Field(description="Why it failed or was interrupted.")
    created_at: str
    epoch: int = Field(description="How many trainers were started for it.")
    grad_states: list[GradState]
    first_step: int = Field(
        description=("Step of its first record: 0, or the step at which it left its parent.")
    )
    parent: Parent | None = Field(
        description="The run that it continues, and the step at which it left that run."
    )


class Answer(BaseModel):
    """The effect of a command, and the state of the run after it."""

    applied_at_step: int
    state: State
    phase: Phase
    step: int


class ParameterSchema(BaseModel):
    """A parameter and its .grad."""

    name: str = Field(examples=["hidden_linear.weight"])
    shape: list[int]
    dtype: Literal["float32"]
    requires_grad: bool
    value: Any = Field(description="Nested lists, row-major.")
    grad: Any = Field(description="Nested lists like value, or null where .grad is None.")
    grad_state: GradState


class SnapshotHead(BaseModel):
    """The moment of a snapshot."""

    run: str
    step: int
    phase: Phase
    loss: Scalar


class SnapshotSchema(SnapshotHead):
    """Every parameter at one moment, and the run's configuration."""

    config: RunConfig
    parameters: list[ParameterSchema]


class OneParameter(SnapshotHead, ParameterSchema):
    """One parameter at one moment."""


class AxisSchema(BaseModel):
    """Name and unit of one axis; the model is fed scale × the displayed value."""

    name: str
    unit: str
    scale: float


class PointsSchema(BaseModel):
    """Inputs and targets."""

    x: list[float]
    y: list[float]


class DataSchema(BaseModel):
    """The float32 numbers that the model is fed."""

    dataset: str
    train: PointsSchema
    validation: PointsSchema
    x: AxisSchema
    y: AxisSchema


class DatasetSchema(BaseModel):
    """A built-in data set, in the units of its axes."""

    name: str
    title: str
    description: str
    x: AxisSchema
    y: AxisSchema
    points: PointsSchema


class OneSeries(BaseModel):
    """Values by step; minima and maxima of what was thinned are kept."""

    name: str
    steps: list[int]
    values: list[Scalar]


class SeriesSchema(BaseModel):
    """Thinned series over a range of steps."""

    run: str
    first: int = Field(serialization_alias="from")
    last: int = Field(serialization_alias="to")
    series: list[OneSeries]


class Kept(BaseModel):
    """The steps of a run whose records are kept.

    Of the others, summaries and every `every`-th step remain.
    """

    run: str
    first: int = Field(serialization_alias="from", description="The run's first step.")
    last: int = Field(
        serialization_alias="to",
        description=("Its last step; less than the first before there is any."),
    )
    exact: list[Annotated[list[int], Field(min_length=2, max_length=2)]] = Field(
        description="First and last step of each range without a gap, in order."
    )
    every: int = Field(description="Outside of the ranges, every multiple of this step is kept.")
    single: list[int] = Field(
        description=(
            "Further steps that are kept: the first, the best, and those from which runs branch."
        )
    )


class ProgressSchema(BaseModel):
    """How far an export has come."""

    run: str
    state: Literal["running", "done", "failed", "cancelled"]
    rows_done: int = Field(description="Steps processed: rows of a table, records of a replay.")
    rows: int | None = Field(
        description=("The number of steps, at most; null until they are counted.")
    )
    detail: str | None = Field(description="Why it failed.")


class LoopSchema(BaseModel):
    """The training loop's source, and the line of each phase, counted from 0."""

    lines: list[str]
    phases: dict[Phase, int]
