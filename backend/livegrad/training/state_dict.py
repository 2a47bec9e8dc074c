"""Writes parameters as a file that PyTorch reads.

Knows nothing of the server; runs in its own process.
"""

import io
from collections.abc import Mapping

import numpy as np
import torch

from livegrad.config import RunConfig
from livegrad.training import network


def state_dict(config: str, values: Mapping[str, bytes]) -> bytes:
    """Return the file of `torch.save(model.state_dict())` with parameters set to `values`.

    `values` are float32 bytes by name. Raises RuntimeError when they do not match the model.
    """
    model = network.build(RunConfig.model_validate_json(config))
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    model.load_state_dict(
        {
            name: torch.from_numpy(np.frombuffer(data, np.float32).copy()).reshape(
                shapes.get(name, (-1,))
            )
            for name, data in values.items()
        }
    )
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return file.getvalue()
