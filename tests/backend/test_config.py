"""RunConfig: the contract's defaults, PyTorch's own arguments, and clear refusals."""

import inspect
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from livegrad.config import AdamConfig, AdamWConfig, Command, RmspropConfig, RunConfig, SgdConfig

COMMANDS: TypeAdapter[Any] = TypeAdapter(Command)
PAIRS = [
    (SgdConfig, torch.optim.SGD),
    (AdamConfig, torch.optim.Adam),
    (AdamWConfig, torch.optim.AdamW),
    (RmspropConfig, torch.optim.RMSprop),
]


def test_the_default_is_the_contracts_default_run() -> None:
    plain = RunConfig().model_dump(mode="json")
    contract = {
        "name": "temperature",
        "dataset": "temperature",
        "hidden": 13,
        "activation": "tanh",
        "named_layers": True,
        "seed": 0,
        "batch_size": None,
        "max_steps": 5000,
        "pace": 60,
    }
    assert {name: plain[name] for name in contract} == contract
    assert (plain["optimizer"]["kind"], plain["optimizer"]["lr"]) == ("sgd", 0.0005)


@pytest.mark.parametrize(("config", "optimizer"), PAIRS, ids=lambda part: part.__name__)
def test_an_optimizers_arguments_have_pytorchs_names_and_defaults(
    config: Any, optimizer: Any
) -> None:
    theirs = inspect.signature(optimizer).parameters
    for name, field in config.model_fields.items():
        if (config, name) == (SgdConfig, "lr"):  # PyTorch's makes the default run's loss jump
            assert field.default == theirs[name].default / 2
        elif name != "kind":
            assert field.default == theirs[name].default, name


@pytest.mark.parametrize(
    "config", [RunConfig(), RunConfig(optimizer=AdamConfig(betas=(0.5, 0.6)), pace=None)]
)
def test_a_configuration_survives_json(config: RunConfig) -> None:
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    "asked",
    [
        {"hidden": 1},
        {"hidden": 64},
        {"batch_size": 1},
        {"batch_size": 9},
        {"seed": 2**53 - 1},
        {"pace": 0.1},
        {"pace": None},
        {"optimizer": {"kind": "adam", "betas": [0.0, 0.5]}},
        {"optimizer": {"kind": "sgd", "lr": 0}},
        {"name": "ä" * 80},
    ],
    ids=str,
)
def test_what_lies_on_a_limit_is_allowed(asked: dict[str, Any]) -> None:
    config = RunConfig.model_validate_json(TypeAdapter(Any).dump_json(asked))
    assert config.model_dump(include={*asked}, mode="json").keys() == asked.keys()


@pytest.mark.parametrize(
    "asked",
    [
        {"hidden": 0},
        {"hidden": 65},
        {"hidden": True},
        {"hidden": 13.0},
        {"batch_size": 0},
        {"batch_size": 10},
        {"seed": -1},
        {"seed": 2**53},
        {"pace": 0.09},
        {"name": ""},
        {"name": "x" * 81},
        {"optimizer": {"kind": "sgd", "lr": float("inf")}},
        {"optimizer": {"kind": "sgd", "lr": -1e-9}},
        {"optimizer": {"kind": "sgd", "nesterov": True, "momentum": 0.9, "dampening": 0.1}},
        {"optimizer": {"kind": "rmsprop", "alpha": 1.0}},
        {"optimizer": {"lr": 0.1}},
        {"optimizer": None},
        {"named_layers": 1},
        {"unknown": 1},
    ],
    ids=str,
)
def test_what_lies_beyond_a_limit_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RunConfig.model_validate(asked)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"kind": "stop"},
        {"kind": "tune"},
        {"kind": "tune", "lr": None},
        {"kind": "step", "count": 0},
    ],
)
def test_what_is_no_command_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        COMMANDS.validate_python(told)


def test_tune_may_lift_the_pace_alone() -> None:
    command = COMMANDS.validate_python({"kind": "tune", "pace": None})
    assert command.model_dump(exclude_unset=True) == {"kind": "tune", "pace": None}
