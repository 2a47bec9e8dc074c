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
    """Return the model of `config`, its weights drawn right after `torch.manual_seed(config.seed)`.

    Its parameters have the shapes (hidden, 1), (hidden,), (1, hidden) and (1,).
    """
    torch.manual_seed(config.seed)
    hidden, activation, output = (
        nn.Linear(1, config.hidden),
        ACTIVATIONS[config.activation](),
        nn.Linear(config.hidden, 1),
    )
    if not config.named_layers:
        return nn.Sequential(hidden, activation, output)
    return nn.Sequential(
        OrderedDict(
            [
                ("hidden_linear", hidden),
                ("hidden_activation", activation),
                ("output_linear", output),
            ]
        )
    )
