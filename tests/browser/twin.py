"""Plain PyTorch as a screen is held to it: by parameter, with gradient and change.

Knows nothing of the page.
"""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from tests.plain import Plain


class Twin(Plain):
    """`config` is the run's, `dataset` the entry of GET /api/datasets that it names."""

    def __init__(self, config: Mapping[str, Any], dataset: Mapping[str, Any]) -> None:
        super().__init__(config, dataset)
        self.before: dict[str, Tensor] = {}  # the parameters before the last update

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

    @property
    def last_loss(self) -> float | None:
        """The last one computed, if any was."""
        return None if math.isnan(self.loss) else self.loss

    def _do_step(self) -> None:
        self.before = {name: value.clone() for name, value in self.parameters.items()}
        super()._do_step()
