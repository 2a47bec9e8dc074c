"""The bare loop: the training loop with nothing attached, to which all ratios refer."""

from typing import Any

import torch
from torch import nn

from benchmarks.sampling import Spent, spent
from livegrad.config import RunConfig
from livegrad.training import network, optimizers
from livegrad.training.data import Batches, split
from livegrad.training.loop import train


class Loop:
    """A training ready to run, with a replaceable loss function."""

    def __init__(self, optimizer: str) -> None:
        torch.set_num_threads(1)
        self.config = RunConfig.model_validate({"optimizer": {"kind": optimizer}, "pace": None})
        self.points = split(self.config)
        self.model = network.build(self.config)
        self.optimizer = optimizers.build(self.config, self.model.parameters())
        self.loss_fn: Any = nn.MSELoss()

    def run(self, steps: int) -> Spent:
        """Return the time of `steps` iterations, after a few that are not counted."""
        self._train(range(1, 51))
        return spent(lambda: self._train(range(51, steps + 51)))

    def _train(self, steps: range) -> None:
        batches = Batches(self.points.train, None, self.config.seed)
        train(self.model, self.optimizer, self.loss_fn, batches, self.points.validation, steps)
