"""RunConfig, the definition of a run, and the commands. Both are validated once, where they enter.

PURE; knows nothing about torch, the web or the log.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from livegrad.datasets import DATASETS

ActivationName = Literal["tanh", "sigmoid", "relu", "none"]
DatasetName = Literal["temperature", "sine", "step", "line"]

LearningRate = Annotated[
    float,
    Field(
        ge=0,
        le=1e6,
        allow_inf_nan=False,
        description=(
            "Learning rate: the size of an update. If it is too large, the loss grows without "
            "limit."
        ),
    ),
]
Pace = Annotated[
    float,
    Field(
        ge=0.1,
        le=100_000,
        allow_inf_nan=False,
        description="Requested steps per second; null is full speed.",
    ),
]
Seed = Annotated[int, Field(ge=0, le=2**53 - 1)]
_Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
_Epsilon = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Added to the denominator, so that it is never zero.",
    ),
]
_Decay = Annotated[
    float,
    Field(
        ge=0,
        le=1e6,
        allow_inf_nan=False,
        description="Weight decay: pulls every parameter towards zero.",
    ),
]
_Momentum = Annotated[
    float,
    Field(
        ge=0,
        le=1e3,
        allow_inf_nan=False,
        description="How much of the last update's direction is kept.",
    ),
]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SgdConfig(_Closed):
    """torch.optim.SGD, with its argument names and defaults.

    The default learning rate is half of PyTorch's. With 0.001, the loss of the default run rises
    from 4 to 20 after step 831; with 0.0005 it does not rise in 5,000 steps.
    """

    kind: Literal["sgd"] = "sgd"
    lr: LearningRate = 0.0005
    momentum: _Momentum = 0.0
    dampening: float = Field(
        0.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The part of the new gradient that the momentum leaves out.",
    )
    weight_decay: _Decay = 0.0
    nesterov: bool = Field(
        False, description="Look ahead along the momentum; needs momentum above 0, dampening 0."
    )

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and (self.momentum <= 0 or self.dampening != 0):
            raise ValueError("nesterov needs momentum above 0 and dampening 0")
        return self


_Betas = Annotated[
    tuple[_Fraction, _Fraction],
    Field(strict=False, description="Decay of the running mean of the gradient and of its square."),
]


class AdamConfig(_Closed):
    """torch.optim.Adam, with its argument names and defaults."""

    kind: Literal["adam"] = "adam"
    lr: LearningRate = 0.001
    betas: _Betas = (0.9, 0.999)
    eps: _Epsilon = 1e-8
    weight_decay: _Decay = 0.0
    amsgrad: bool = Field(
        False, description="Divide by the largest mean square so far, not by the present one."
    )


class AdamWConfig(_Closed):
    """torch.optim.AdamW, with its argument names and defaults."""

    kind: Literal["adamw"] = "adamw"
    lr: LearningRate = 0.001
    betas: _Betas = (0.9, 0.999)
    eps: _Epsilon = 1e-8
    weight_decay: _Decay = 0.01
    amsgrad: bool = Field(
        False, description="Divide by the largest mean square so far, not by the present one."
    )


class RmspropConfig(_Closed):
    """torch.optim.RMSprop, with its argument names and defaults."""

    kind: Literal["rmsprop"] = "rmsprop"
    lr: LearningRate = 0.01
    alpha: _Fraction = Field(0.99, description="Decay of the running mean of the squared gradient.")
    eps: _Epsilon = 1e-8
    weight_decay: _Decay = 0.0
    momentum: _Momentum = 0.0
    centered: bool = Field(
        False, description="Divide by the gradient's running deviation, not its mean square."
    )


OptimizerConfig = Annotated[
    SgdConfig | AdamConfig | AdamWConfig | RmspropConfig,
    Field(
        discriminator="kind",
        description="The optimizer, with PyTorch's own argument names and defaults.",
    ),
]


class RunConfig(_Closed):
    """The definition of a run. Every field has a default; together they define the default run."""

    name: str = Field(
        "temperature",
        min_length=1,
        max_length=80,
        description=("The run's name in the list of runs."),
    )
    dataset: DatasetName = Field("temperature", description="The points that the network learns.")
    hidden: int = Field(13, ge=1, le=64, description="Units in the hidden layer.")
    activation: ActivationName = Field(
        "tanh", description="The function of a hidden unit; none makes the network linear."
    )
    named_layers: bool = Field(
        True, description="hidden_linear.weight … (an OrderedDict) or 0.weight … (numbered)."
    )
    optimizer: OptimizerConfig = SgdConfig()
    zero_grad: bool = Field(
        True, description="Off: the loop never calls optimizer.zero_grad(), and gradients add up."
    )
    seed: Seed = Field(
        0,
        description="For the initial weights, the validation points and the order of the batches.",
    )
    data_seed: Seed | None = Field(
        None, description="For the order of the batches only; null means the seed above."
    )
    batch_size: int | None = Field(
        None, ge=1, le=10_000, description="Points per step; null is all training points."
    )
    max_steps: int = Field(
        5000, ge=1, le=10_000_000, description="The run is finished after this many steps."
    )
    pace: Pace | None = 60

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        size = DATASETS[self.dataset].training_size
        if self.batch_size is not None and self.batch_size > size:
            raise ValueError(
                f"batch_size must be at most {size}, the training points of {self.dataset}"
            )
        return self


class Play(_Closed):
    """Train until paused or finished."""

    kind: Literal["play"]


class Pause(_Closed):
    """Stop within one step."""

    kind: Literal["pause"]


class Step(_Closed):
    """Take exactly `count` steps at full speed, then pause."""

    kind: Literal["step"]
    count: int = Field(1, ge=1, le=10_000)


class PhaseOn(_Closed):
    """Go on to the next phase boundary."""

    kind: Literal["phase"]


class Tune(_Closed):
    """Change the learning rate, the pace, or both, from the next step on."""

    kind: Literal["tune"]
    lr: LearningRate | None = None
    pace: Pace | None = None

    @model_validator(mode="after")
    def _tunes_something(self) -> Self:
        if not self.model_fields_set & {"lr", "pace"}:
            raise ValueError("tune needs lr, pace, or both")
        if "lr" in self.model_fields_set and self.lr is None:
            raise ValueError("lr must be a number")
        return self


Command = Annotated[Play | Pause | Step | PhaseOn | Tune, Field(discriminator="kind")]
