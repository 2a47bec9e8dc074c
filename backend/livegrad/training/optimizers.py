"""Builds optimizers, and finds the state that each keeps per parameter.

Knows nothing of networks or data.
"""

from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from livegrad.config import RunConfig
from livegrad.protocol import Slot

KINDS: dict[str, type[Optimizer]] = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSprop}


def build(config: RunConfig, parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Return the optimizer of `config` over `parameters`.

    Its arguments are passed to PyTorch unchanged.
    """
    arguments = config.optimizer.model_dump(exclude={"kind"})
    return KINDS[config.optimizer.kind](parameters, **arguments)


def slots(config: RunConfig) -> list[Slot]:
    """Return the state that the optimizer of `config` keeps per parameter.

    It is found by one real update of a trial optimizer.
    """
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.ones(2)
    trial = build(config, [parameter])
    trial.step()
    kept = trial.state[parameter]
    return [
        Slot(name, value.dim() == 0)
        for name, value in kept.items()
        if isinstance(value, torch.Tensor)
    ]
