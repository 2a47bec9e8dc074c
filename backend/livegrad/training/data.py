"""A run's data as fed to the model: tensors, the validation split, the batches.

Knows nothing of the loop.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from livegrad.config import RunConfig
from livegrad.datasets import DATASETS, Dataset

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Points:
    """Inputs and targets, each of shape (points, 1), float32."""

    dataset: Dataset
    train: Batch
    validation: Batch

    def as_json(self) -> dict[str, Any]:
        """Return the numbers fed to the model, with names and units."""
        return {
            "dataset": self.dataset.name,
            "train": _plain(self.train),
            "validation": _plain(self.validation),
            "x": asdict(self.dataset.x_axis),
            "y": asdict(self.dataset.y_axis),
        }


def _plain(batch: Batch) -> dict[str, list[float]]:
    x, y = batch
    return {"x": x.flatten().tolist(), "y": y.flatten().tolist()}


def split(config: RunConfig) -> Points:
    """Return the data of `config`. Only the seed determines the validation points."""
    dataset = DATASETS[config.dataset]
    x = as_column(dataset.x, dataset.x_axis.scale)
    y = as_column(dataset.y, dataset.y_axis.scale)
    return Points(dataset, *split_points(x, y, dataset.training_size, config.seed))


# -- exported scripts contain the code below, word for word


def as_column(values: Sequence[float], scale: float) -> Tensor:
    """Return `values` times `scale`, of shape (points, 1)."""
    return torch.tensor(values).unsqueeze(1) * scale


def split_points(x: Tensor, y: Tensor, training: int, seed: int) -> tuple[Batch, Batch]:
    """Return (x, y) of `training` random points, and (x, y) of the others."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    chosen, others = order[:training], order[training:]
    return (x[chosen], y[chosen]), (x[others], y[others])


class Batches:
    """Returns the training points of a step. They depend only on the seed and the step.

    Each pass over the data has its own order; the last batch of a pass may be smaller.
    """

    def __init__(self, train: Batch, size: int | None, seed: int) -> None:
        self._x, self._y = train
        self._size = size
        self._seed = seed
        self._order = torch.empty(0, dtype=torch.long)
        self._pass = -1  # the pass that `_order` belongs to

    def __call__(self, step: int) -> Batch:
        """Return (x, y) of `step`, counted from 1.

        Without a batch size these are all points, always the same tensors.
        """
        if self._size is None:
            return self._x, self._y
        per_pass = -(-len(self._x) // self._size)
        number, position = divmod(step - 1, per_pass)
        if number != self._pass:
            self._order, self._pass = self._shuffled(number), number
        chosen = self._order[position * self._size : (position + 1) * self._size]
        return self._x[chosen], self._y[chosen]

    def _shuffled(self, number: int) -> Tensor:
        # Combines two numbers into one seed: different for every pass of a run, equal in every
        # process.
        generator = torch.Generator().manual_seed(
            (self._seed + 1) * 1_000_003 + number & (2**63 - 1)
        )
        return torch.randperm(len(self._x), generator=generator)
