"""A state_dict is what torch.save writes of the run's own model.

Loaded again, it is the very numbers.
"""

import io

import numpy as np
import pytest
import torch

from livegrad.config import RunConfig
from livegrad.training import network
from livegrad.training.state_dict import state_dict


def values(config: RunConfig) -> dict[str, bytes]:
    random = np.random.default_rng(5)
    return {
        name: random.normal(size=tuple(parameter.shape)).astype(np.float32).tobytes()
        for name, parameter in network.build(config).named_parameters()
    }


@pytest.mark.parametrize("named", [True, False])
def test_a_model_takes_it_and_holds_the_very_bits(named: bool) -> None:
    config = RunConfig.model_validate({"hidden": 7, "named_layers": named})
    given = values(config)
    data = state_dict(config.model_dump_json(), given)
    loaded = torch.load(io.BytesIO(data), weights_only=True)
    model = network.build(config)
    model.load_state_dict(loaded)
    assert {n: p.detach().numpy().tobytes() for n, p in model.named_parameters()} == given


def test_what_the_model_does_not_have_is_refused() -> None:
    config = RunConfig()
    given = values(config)
    with pytest.raises(RuntimeError, match="unknown"):
        state_dict(config.model_dump_json(), given | {"unknown": bytes(8)})
    given.popitem()
    with pytest.raises(RuntimeError, match="Missing key"):
        state_dict(config.model_dump_json(), given)
