"""The network is what anyone builds from its description, drawn right after the seed."""

import pytest
import torch
from torch import nn

from livegrad.config import RunConfig
from livegrad.training import network


def test_its_weights_are_those_that_follow_the_seed() -> None:
    torch.manual_seed(7)
    plain = nn.Sequential(nn.Linear(1, 13), nn.Tanh(), nn.Linear(13, 1))
    torch.rand(3)  # whatever else was drawn before does not matter
    built = network.build(RunConfig(seed=7))
    assert [p.tolist() for p in built.parameters()] == [p.tolist() for p in plain.parameters()]


@pytest.mark.parametrize(
    ("named", "names"),
    [
        (
            True,
            [
                "hidden_linear.weight",
                "hidden_linear.bias",
                "output_linear.weight",
                "output_linear.bias",
            ],
        ),
        (False, ["0.weight", "0.bias", "2.weight", "2.bias"]),
    ],
)
def test_layers_are_named_or_numbered(named: bool, names: list[str]) -> None:
    assert [
        name for name, _ in network.build(RunConfig(named_layers=named)).named_parameters()
    ] == names


def test_named_or_numbered_the_numbers_are_the_same() -> None:
    one, two = (network.build(RunConfig(seed=3, named_layers=named)) for named in (True, False))
    assert [p.tolist() for p in one.parameters()] == [p.tolist() for p in two.parameters()]


@pytest.mark.parametrize("hidden", [1, 13, 64])
def test_shapes_follow_the_hidden_size(hidden: int) -> None:
    shapes = [tuple(p.shape) for p in network.build(RunConfig(hidden=hidden)).parameters()]
    assert shapes == [(hidden, 1), (hidden,), (1, hidden), (1,)]


@pytest.mark.parametrize(
    ("activation", "function"),
    [("tanh", torch.tanh), ("sigmoid", torch.sigmoid), ("relu", torch.relu), ("none", lambda z: z)],
)
def test_each_activation_is_pytorchs(activation: str, function: object) -> None:
    model = network.build(RunConfig.model_validate({"activation": activation}))
    x = torch.linspace(-3, 3, 11).unsqueeze(1)
    assert callable(function)
    assert torch.equal(model(x), model[2](function(model[0](x))))
