"""The same training in plain PyTorch, stopped wherever one likes, and what it holds as a record's
numbers.

Knows nothing of livegrad: what it takes for granted stands in the README and the contract.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "none": nn.Identity,
}
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
}
PHASES = ("zero_grad", "forward", "loss", "backward", "step")
Place = tuple[str, str, str | None]  # role, name, slot: what a column of a record is called
Floats = NDArray[np.float32]
NO_GRADIENT = 0x7FC0_6E6F  # the contract: bits of a NaN that arithmetic does not make


class Plain:
    """`asked` is what a run was asked for, without defaults.

    `dataset` one entry of GET /api/datasets.
    """

    def __init__(self, asked: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
        torch.set_num_threads(1)
        self.seed = asked.get("seed", 0)
        self.size = asked.get("batch_size")
        self.clears = asked.get("zero_grad", True)
        x = torch.tensor(dataset["points"]["x"]).unsqueeze(1) * dataset["x"]["scale"]
        y = torch.tensor(dataset["points"]["y"]).unsqueeze(1) * dataset["y"]["scale"]
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(self.seed))
        held_out = max(1, len(x) // 5)
        train, validation = order[:-held_out], order[-held_out:]
        self.train, self.validation = (x[train], y[train]), (x[validation], y[validation])

        torch.manual_seed(self.seed)
        hidden = asked.get("hidden", 13)
        layers = [
            nn.Linear(1, hidden),
            ACTIVATIONS[asked.get("activation", "tanh")](),
            nn.Linear(hidden, 1),
        ]
        names = ["hidden_linear", "hidden_activation", "output_linear"]
        named = asked.get("named_layers", True)
        self.model = nn.Sequential(
            OrderedDict(zip(names if named else ["0", "1", "2"], layers, strict=True))
        )
        arguments = dict(asked.get("optimizer", {"kind": "sgd", "lr": 0.0005}))
        self.optimizer = OPTIMIZERS[arguments.pop("kind")](self.model.parameters(), **arguments)

        self.step, self.phase = 0, "step"
        self.loss = self.validation_loss = float("nan")
        self._x, self._y = self.train
        self._answer = self._error = torch.empty(0)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """All points; or the step's part of its pass over them, each pass in an order of its
        own.
        """
        x, y = self.train
        if self.size is None:
            return x, y
        number, place = divmod(step - 1, -(-len(x) // self.size))
        source = torch.Generator().manual_seed((self.seed + 1) * 1_000_003 + number)
        chosen = torch.randperm(len(x), generator=source)[
            place * self.size : (place + 1) * self.size
        ]
        return x[chosen], y[chosen]

    # -- the loop

    def go(self, phase: str) -> None:
        """Do the next phase, which must be this one."""
        getattr(self, f"_do_{phase}")()
        self.phase = phase

    def iterate(self, count: int = 1) -> None:
        """Do what is left of this iteration, then whole ones: `count` updates."""
        for _ in range(count):
            done = (PHASES.index(self.phase) + 1) % len(PHASES)
            for phase in PHASES[done:]:
                self.go(phase)

    def _do_zero_grad(self) -> None:
        self._x, self._y = self.batch(self.step + 1)
        if self.clears:
            self.optimizer.zero_grad()

    def _do_forward(self) -> None:
        self._answer = self.model(self._x)

    def _do_loss(self) -> None:
        self._error = nn.functional.mse_loss(self._answer, self._y)
        self.loss = self._error.item()

    def _do_backward(self) -> None:
        x, y = self.validation
        with torch.no_grad():
            self.validation_loss = nn.functional.mse_loss(self.model(x), y).item()
        self._error.backward()

    def _do_step(self) -> None:
        self.optimizer.step()
        self.step += 1

    # -- what it holds

    def held(self) -> dict[Place, Floats]:
        """Everything that a record tells, by what its column is called.

        A gradient that is None is all NaN, of the bits NO_GRADIENT.
        """
        held: dict[Place, Floats] = {
            ("scalar", "loss", None): np.array([self.loss], np.float32),
            ("scalar", "validation_loss", None): np.array([self.validation_loss], np.float32),
            ("scalar", "lr", None): np.array([self.optimizer.param_groups[0]["lr"]], np.float32),
        }
        for name, parameter in self.model.named_parameters():
            held["parameter", name, None] = _copied(parameter)
            held["gradient", name, None] = (
                np.full(parameter.numel(), NO_GRADIENT, np.uint32).view(np.float32)
                if parameter.grad is None
                else _copied(parameter.grad)
            )
            for slot, value in self.optimizer.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    held["state", name, slot] = _copied(value)
        return held

    def record(self, columns: list[dict[str, Any]]) -> bytes:
        """Return what it holds as `columns` order it, and nothing else.

        NaN where the optimizer has no state yet.
        """
        held = self.held()
        row: list[Floats] = []
        for column in columns:
            size = int(np.prod(column["shape"], dtype=int))
            place = (column["role"], column["name"], column.get("slot"))
            assert place in held or (column["role"] == "state" and not self.step), place
            row.append(held.pop(place, np.full(size, np.nan, np.float32)))
            assert row[-1].size == size, place
        assert not held, f"not in any column: {held.keys()}"
        return np.concatenate(row).tobytes()


def _copied(tensor: Tensor) -> Floats:
    return tensor.detach().numpy().reshape(-1).copy()
