"""The ordinary training loop, whose code the dashboard shows.

It does not know that it is observed.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Batch = tuple[Tensor, Tensor]


def train(
    model: nn.Module,
    optimizer: Optimizer,
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    batch: Callable[[int], Batch],
    validation: Batch,
    steps: range,
    zero_grad: bool = True,
) -> None:
    """Train `model` for `steps`, on `batch(step)` = (x, y), each of shape (points, 1)."""
    x_val, y_val = validation

    for step in steps:
        x, y = batch(step)
        if zero_grad:
            optimizer.zero_grad()
        y_pred = model(x)
        loss = loss_fn(y_pred, y)
        with torch.no_grad():
            val_loss = loss_fn(model(x_val), y_val)
        loss.backward()
        optimizer.step()
