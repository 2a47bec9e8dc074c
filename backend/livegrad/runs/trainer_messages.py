"""What a trainer may say: its text messages, each field checked before anything acts on it. PURE.

Its records are frames, which `protocol` reads.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from livegrad.errors import ProtocolError
from livegrad.lifecycle import State

_Step = Annotated[int, Field(ge=0, le=2**53)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Scalar = _Number | Literal["nan", "inf", "-inf"]
_Phase = Literal["zero_grad", "forward", "loss", "backward", "step"]
_Reason = Annotated[str, Field(max_length=10_000)]


class _Hello(BaseModel):
    kind: Literal["hello"]
    epoch: int
    columns: list[dict[str, Any]]
    data: dict[str, Any]


class _Status(BaseModel):
    kind: Literal["state"]
    state: State
    phase: _Phase
    step: _Step
    loss: _Scalar
    validation_loss: _Scalar
    lr: _Number
    pace: _Number | None
    goal: _Step | None = None
    grad_states: list[Literal["none", "fresh", "stale"]]


class _Answer(BaseModel):
    kind: Literal["answer"]
    id: int
    applied_at_step: _Step
    state: State
    phase: _Phase
    step: _Step


class _Refusal(BaseModel):
    kind: Literal["refusal"]
    id: int
    state: State
    command: str


class _Failure(BaseModel):
    kind: Literal["failed"]
    reason: _Reason


class _Pong(BaseModel):
    kind: Literal["pong"]


_Message = Annotated[_Hello | _Status | _Answer | _Refusal | _Failure | _Pong, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[_Message] = TypeAdapter(_Message)


def message(text: str) -> dict[str, Any]:
    """Return the trainer's message in `text`, with the fields that its kind has. Raises ProtocolError."""
    try:
        return _ADAPTER.validate_json(text).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "message"
        raise ProtocolError(f"{place}: {first['msg']}, received {text!r:.100}") from error
