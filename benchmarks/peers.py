"""Other tools that record every step of the same loop: TensorBoard, Weights & Biases, trackio.

Each records what livegrad records, as far as it can: the losses, and every parameter and gradient
as a histogram. Each is used as its documentation says, offline, and only if it is installed (extra
`bench`).
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.bare import Loop

Attach = Callable[[Loop, Path], AbstractContextManager[None]]


class Losses:
    """Wraps the loss function and keeps the newest training and validation loss."""

    def __init__(self, loop: Loop) -> None:
        self._compute = loop.loss_fn
        self.loss = self.validation_loss = float("nan")
        loop.loss_fn = self

    def __call__(self, y_pred: Any, y: Any) -> Any:
        loss = self._compute(y_pred, y)
        if loss.requires_grad:
            self.loss = loss.item()
        else:
            self.validation_loss = loss.item()
        return loss

    def as_dict(self) -> dict[str, float]:
        return {"loss": self.loss, "validation_loss": self.validation_loss}


def tensors(loop: Loop) -> dict[str, Any]:
    """Return every parameter and its gradient, by name."""
    named = list(loop.model.named_parameters())
    return dict(named) | {
        f"{name}.grad": parameter.grad for name, parameter in named if parameter.grad is not None
    }


@contextmanager
def tensorboard(loop: Loop, folder: Path) -> Iterator[None]:
    """Write scalars and histograms every step."""
    from torch.utils.tensorboard import SummaryWriter

    writer, losses = SummaryWriter(str(folder)), Losses(loop)
    step = 0

    def record(*_: Any) -> None:
        nonlocal step
        step += 1
        for name, value in losses.as_dict().items():
            writer.add_scalar(name, value, step)
        for name, tensor in tensors(loop).items():
            writer.add_histogram(name, tensor, step)

    loop.optimizer.register_step_post_hook(record)
    try:
        yield
    finally:
        writer.close()


@contextmanager
def wandb(loop: Loop, folder: Path) -> Iterator[None]:
    """Watch all with log_freq=1, and log the losses, which sends the histograms."""
    import wandb

    settings = wandb.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True)
    run = wandb.init(mode="offline", dir=str(folder), project="livegrad", settings=settings)
    wandb.watch(loop.model, log="all", log_freq=1)
    losses = Losses(loop)
    loop.optimizer.register_step_post_hook(lambda *_: run.log(losses.as_dict()))
    try:
        yield
    finally:
        wandb.unwatch(loop.model)
        run.finish()


@contextmanager
def trackio(loop: Loop, folder: Path) -> Iterator[None]:
    """Log losses and histograms every step, to the local database."""
    import trackio

    trackio.init(project="livegrad", embed=False, auto_log_cpu=False, auto_log_gpu=False)
    losses = Losses(loop)

    def record(*_: Any) -> None:
        histograms = {
            name: trackio.Histogram(tensor.detach().numpy())
            for name, tensor in tensors(loop).items()
        }
        trackio.log(losses.as_dict() | histograms)

    loop.optimizer.register_step_post_hook(record)
    try:
        yield
    finally:
        trackio.finish()


PEERS: dict[str, tuple[str, Attach]] = {
    "TensorBoard histograms": ("tensorboard", tensorboard),
    'wandb.watch(log="all", log_freq=1) offline': ("wandb", wandb),
    "trackio histograms": ("trackio", trackio),
}


def is_installed(module: str) -> bool:
    """Return whether a peer can be measured."""
    return find_spec(module) is not None


def be_quiet(folder: Path) -> None:
    """Keep the peers offline, silent and without files elsewhere. Call it in a separate process."""
    os.environ |= {
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "WANDB_ERROR_REPORTING": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRACKIO_DIR": str(folder),
    }
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
