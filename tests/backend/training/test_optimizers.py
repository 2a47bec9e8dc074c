"""Optimizers get PyTorch's own arguments, and their state is found, not known."""

from typing import Any

import pytest
import torch

from livegrad.config import RunConfig
from livegrad.protocol import Slot
from livegrad.training import network, optimizers

STEP, M, V, VMAX = (
    Slot("step", True),
    Slot("exp_avg", False),
    Slot("exp_avg_sq", False),
    "max_exp_avg_sq",
)
CASES: list[tuple[dict[str, Any], set[Slot]]] = [
    ({"kind": "sgd"}, set()),
    ({"kind": "sgd", "momentum": 0.9}, {Slot("momentum_buffer", False)}),
    ({"kind": "adam"}, {STEP, M, V}),
    ({"kind": "adamw", "amsgrad": True}, {STEP, M, V, Slot(VMAX, False)}),
    ({"kind": "rmsprop"}, {STEP, Slot("square_avg", False)}),
    (
        {"kind": "rmsprop", "momentum": 0.5, "centered": True},
        {STEP, Slot("square_avg", False), Slot("momentum_buffer", False), Slot("grad_avg", False)},
    ),
]


def config(optimizer: dict[str, Any]) -> RunConfig:
    return RunConfig.model_validate({"optimizer": optimizer})


@pytest.mark.parametrize(("asked", "kept"), CASES, ids=[str(asked) for asked, _ in CASES])
def test_slots_are_what_the_optimizer_keeps(asked: dict[str, Any], kept: set[Slot]) -> None:
    assert set(optimizers.slots(config(asked))) == kept


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "rmsprop"])
def test_without_arguments_it_is_pytorchs_default_optimizer_but_for_sgds_rate(kind: str) -> None:
    parameters = list(network.build(RunConfig()).parameters())
    built = optimizers.build(config({"kind": kind}), parameters)
    plain = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}.get(
        kind, torch.optim.RMSprop
    )(parameters)
    assert type(built) is type(plain)
    assert built.defaults == plain.defaults | ({"lr": 0.0005} if kind == "sgd" else {})


def test_arguments_reach_it_as_they_are() -> None:
    parameters = list(network.build(RunConfig()).parameters())
    asked = {"kind": "adam", "lr": 0.5, "betas": [0.1, 0.2], "eps": 1e-3, "weight_decay": 0.3}
    group = optimizers.build(config(asked), parameters).param_groups[0]
    assert (group["lr"], tuple(group["betas"]), group["eps"], group["weight_decay"]) == (
        0.5,
        (0.1, 0.2),
        1e-3,
        0.3,
    )
