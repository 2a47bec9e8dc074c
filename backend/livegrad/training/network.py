"""Builds the network: 1–hidden–1, fully connected. Knows nothing of data or training."""

from collections import OrderedDict

import torch
from torch import nn

from livegrad.config import RunConfig

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "none": nn.Identity,
}


def build(config: RunConfig) -> nn.Sequential:
    """Return the model of `config`."""
    return build_network(config.hidden, config.activation, config.named_layers, config.seed)


# Exported scripts contain this function, word for word.
def build_network(hidden: int, activation: str, named_layers: bool, seed: int) -> nn.Sequential:
    """Return a network of 1, `hidden` and 1 units; the seed determines its initial weights.

    Its parameters have the shapes (hidden, 1), (hidden,), (1, hidden) and (1,).
    """
    torch.manual_seed(seed)
    layers = [
        ("hidden_linear", nn.Linear(1, hidden)),
        ("hidden_activation", ACTIVATIONS[activation]()),
        ("output_linear", nn.Linear(hidden, 1)),
    ]
    if named_layers:
        return nn.Sequential(OrderedDict(layers))
    return nn.Sequential(*(layer for _, layer in layers))
