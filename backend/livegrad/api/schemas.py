"""The answers' shapes, for the schema that `/docs` shows. Knows nothing of how they come about."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from livegrad.config import RunConfig
from livegrad.lifecycle.states import CommandKind, Phase, State
from livegrad.protocol import GradState

Scalar = Annotated[
    float | Literal["nan", "inf", "-inf"] | None,
    Field(description="NaN and infinities are texts; null: none yet."),
]


class Health(BaseModel):
    """Whether the server is up, and whether torch has been loaded."""

    status: Literal["ok"]
    version: str
    torch: Literal["loading", "ready", "failed"]


class Parent(BaseModel):
    """Which run a run continues, and from which step on."""

    run: str
    step: int


class Run(BaseModel):
    """One training, with an immutable configuration and an append-only history."""

    id: str = Field(examples=["3f2a9c1e"])
    name: str
    config: RunConfig
    state: State
    allowed: list[CommandKind] = Field(
        description="The commands that are not refused in this state."
    )
    phase: Phase = Field(description="The last phase completed; between iterations, step.")
    step: int = Field(description="Completed optimizer updates.")
    loss: Scalar
    validation_loss: Scalar
    lr: float = Field(description="Learning rate in force.")
    pace: float | None = Field(
        description="Steps per second asked for; null is as fast as it goes."
    )
    reason: str | None = Field(description="Why it failed or was interrupted.")
    created_at: str
    epoch: int = Field(description="How many trainers were started for it.")
    grad_states: list[GradState]
    first_step: int = Field(description="Step of its first record: 0, or where it left its parent.")
    parent: Parent | None = Field(
        description="The run that it continues, and the step at which it left it."
    )


class Answer(BaseModel):
    """What a command did, and where the run stands since."""

    applied_at_step: int
    state: State
    phase: Phase
    step: int


class ParameterSchema(BaseModel):
    """A parameter, and its .grad."""

    name: str = Field(examples=["hidden_linear.weight"])
    shape: list[int]
    dtype: Literal["float32"]
    requires_grad: bool
    value: Any = Field(description="Nested lists, row-major.")
    grad: Any = Field(description="Nested lists like value, or null where .grad is None.")
    grad_state: GradState


class SnapshotHead(BaseModel):
    """Which moment a snapshot shows."""

    run: str
    step: int
    phase: Phase
    loss: Scalar


class SnapshotSchema(SnapshotHead):
    """Every parameter at one moment, and of what run: its configuration."""

    config: RunConfig
    parameters: list[ParameterSchema]


class OneParameter(SnapshotHead, ParameterSchema):
    """One parameter at one moment."""


class AxisSchema(BaseModel):
    """Names and units of one axis; the model is fed scale × what is shown."""

    name: str
    unit: str
    scale: float


class PointsSchema(BaseModel):
    """Inputs and targets."""

    x: list[float]
    y: list[float]


class DataSchema(BaseModel):
    """The very float32 numbers that the model is fed."""

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
    """Which of a run's steps are there exactly. Of the others, summaries and `every`-th steps are."""

    run: str
    first: int = Field(serialization_alias="from", description="The run's first step.")
    last: int = Field(
        serialization_alias="to", description="Its last; less than the first before there is any."
    )
    exact: list[Annotated[list[int], Field(min_length=2, max_length=2)]] = Field(
        description="First and last step of each stretch without a gap, in order."
    )
    every: int = Field(description="Outside them, every step that is a multiple of it is kept.")
    single: list[int] = Field(
        description="Further steps that are kept: the first, the best, where runs branch."
    )


class ProgressSchema(BaseModel):
    """How far an export has come."""

    run: str
    state: Literal["running", "done", "failed", "cancelled"]
    rows_done: int = Field(description="Steps gone through: rows of a table, records of a replay.")
    rows: int | None = Field(description="Of how many, at most; null: not counted yet.")
    detail: str | None = Field(description="Why it failed, in words.")


class LoopSchema(BaseModel):
    """The training loop's source, and which line, from 0, is which phase."""

    lines: list[str]
    phases: dict[Phase, int]
