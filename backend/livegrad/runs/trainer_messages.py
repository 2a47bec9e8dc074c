"""Defines a trainer's text messages and validates each field. PURE.

Records arrive as frames, which `protocol` reads.
"""

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from livegrad.errors import ProtocolError
from livegrad.lifecycle.states import Phase, State
from livegrad.protocol import GradState

_Step = Annotated[int, Field(ge=0, le=2**53)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Scalar = _Number | Literal["nan", "inf", "-inf"]
_Reason = Annotated[str, Field(max_length=10_000)]
_Id = Annotated[str, Field(max_length=100)]
_Name = Annotated[str, Field(max_length=200)]
_Values = Annotated[list[_Scalar], Field(max_length=100_000)]


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class Axis(_Message):
    """The name and unit of an axis of the data, and the factor by which the model is fed."""

    name: _Name
    unit: _Name
    scale: _Number


class Points(_Message):
    """Pairs of numbers, x[i] with y[i]."""

    x: _Values
    y: _Values

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if len(self.x) != len(self.y):
            raise ValueError(f"expected as many y as x, {len(self.x)}, received {len(self.y)}")
        return self


class Data(_Message):
    """The training and validation points of a run, with names and units."""

    model_config = ConfigDict(extra="forbid")

    dataset: _Name
    train: Points
    validation: Points
    x: Axis
    y: Axis


class NoData(_Message):
    """Sent by a trainer that has no points to show."""

    model_config = ConfigDict(extra="forbid")


class Hello(_Message):
    """A trainer's first message: its epoch, the columns of its records, and its data."""

    kind: Literal["hello"]
    epoch: int
    columns: list[dict[str, JsonValue]]
    data: Data | NoData


class Status(_Message):
    """The run's state. `standing` repeats a logged state after a reconnect."""

    kind: Literal["state", "standing"]
    state: Annotated[State, Field(strict=False)]
    phase: Phase
    step: _Step
    loss: _Scalar
    validation_loss: _Scalar
    lr: _Number
    pace: _Number | None
    goal: _Step | None = None
    grad_states: list[GradState]


class Answer(_Message):
    """The answer to a command."""

    kind: Literal["answer"]
    id: _Id
    applied_at_step: _Step
    state: Annotated[State, Field(strict=False)]
    phase: Phase
    step: _Step


class Refusal(_Message):
    """The state forbids a command."""

    kind: Literal["refusal"]
    id: _Id
    state: Annotated[State, Field(strict=False)]
    command: _Name


class Failure(_Message):
    """The training code raised an error."""

    kind: Literal["failed"]
    reason: _Reason


class Pong(_Message):
    """The answer to a ping."""

    kind: Literal["pong"]


Message = Hello | Status | Answer | Refusal | Failure | Pong
_ADAPTER: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def message(text: str) -> Message:
    """Return the trainer's message in `text`. Raises ProtocolError."""
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "message"
        raise ProtocolError(f"{place}: {first['msg']}, received {text!r:.100}") from error
