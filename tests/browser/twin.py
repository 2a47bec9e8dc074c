"""The same training in plain PyTorch, stopped wherever one likes. Imports nothing of livegrad."""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

ACTIVATIONS = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "relu": nn.ReLU, "none": nn.Identity}
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
}
PHASES = ("zero_grad", "forward", "loss", "backward", "step")


class Twin:
    """`data` is what the server says that the model is fed."""

    def __init__(self, config: dict[str, Any], data: dict[str, Any]) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(config["seed"])
        layers = [
            nn.Linear(1, config["hidden"]),
            ACTIVATIONS[config["activation"]](),
            nn.Linear(config["hidden"], 1),
        ]
        names = (
            ["hidden_linear", "activation", "output_linear"] if config["named_layers"] else ["0", "1", "2"]
        )
        self.model = nn.Sequential(OrderedDict(zip(names, layers, strict=True)))
        arguments = {name: value for name, value in config["optimizer"].items() if name != "kind"}
        self.optimizer = OPTIMIZERS[config["optimizer"]["kind"]](self.model.parameters(), **arguments)
        self.x = torch.tensor(data["train"]["x"]).unsqueeze(1)
        self.y = torch.tensor(data["train"]["y"]).unsqueeze(1)
        self.clears = config["zero_grad"]
        self.step = 0
        self.phase = "step"
        self.loss: float | None = None  # last one computed
        self.before: dict[str, Tensor] = {}  # the parameters before the last update
        self._answer = self._error = torch.empty(0)

    @property
    def parameters(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self.model.named_parameters()}

    @property
    def gradients(self) -> dict[str, Tensor | None]:
        return {name: parameter.grad for name, parameter in self.model.named_parameters()}

    @property
    def changes(self) -> dict[str, Tensor]:
        return {name: after - self.before[name] for name, after in self.parameters.items()}

    @property
    def grad_state(self) -> str:
        if all(gradient is None for gradient in self.gradients.values()):
            return "none"
        return "stale" if self.phase in ("forward", "loss") else "fresh"

    def go(self, phase: str) -> None:
        """Do the next phase, which must be this one."""
        getattr(self, f"_do_{phase}")()
        self.phase = phase

    def steps(self, count: int) -> None:
        for _ in range(count):
            for phase in PHASES:
                self.go(phase)

    def _do_zero_grad(self) -> None:
        if self.clears:
            self.optimizer.zero_grad()

    def _do_forward(self) -> None:
        self._answer = self.model(self.x)

    def _do_loss(self) -> None:
        self._error = nn.functional.mse_loss(self._answer, self.y)
        self.loss = self._error.item()

    def _do_backward(self) -> None:
        self._error.backward()

    def _do_step(self) -> None:
        self.before = {name: value.clone() for name, value in self.parameters.items()}
        self.optimizer.step()
        self.step += 1
