"""What PyTorch computes, for the page's own forward pass to be compared with.

Knows nothing about JavaScript: it writes `forward.json`, which `tests/frontend/forward.test.js`
reads. Run it as a program to write the file anew; as a test it holds the file to PyTorch.
"""

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

CONTRACT = Path(__file__).with_name("forward.json")
# float32 has a relative precision of 6e-8; other machines' kernels round the last bits their own
# way.
TOLERANCE = 1e-6

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "none": nn.Identity,
}
HIDDEN_SIZES = (1, 2, 13, 64)


def build(activation: str, hidden: int, named: bool) -> nn.Sequential:
    """The 1–hidden–1 network, seeded by its size."""
    torch.manual_seed(hidden)
    layers = [nn.Linear(1, hidden), ACTIVATIONS[activation](), nn.Linear(hidden, 1)]
    if not named:
        return nn.Sequential(*layers)
    names = ("hidden_linear", "hidden_activation", "output_linear")
    return nn.Sequential(OrderedDict(zip(names, layers, strict=True)))


def listed(values: Tensor) -> list[float]:
    """Each as the shortest decimal that reads back as the same float32."""
    return [float(f"{value:.9g}") for value in values.detach().flatten().tolist()]


def case(activation: str, hidden: int, named: bool) -> dict[str, Any]:
    """One network: its parameters, and what it and each of its units give for every x."""
    model = build(activation, hidden, named)
    x = torch.linspace(-4.0, 9.0, 14).unsqueeze(1)
    with torch.no_grad():
        units = model[1](model[0](x))
        outputs = model[2](units)
    return {
        "activation": activation,
        "parameters": [
            {"name": name, "shape": list(parameter.shape), "values": listed(parameter)}
            for name, parameter in model.named_parameters()
        ],
        "x": listed(x),
        "units": [listed(units[:, j]) for j in range(hidden)],
        "output": listed(outputs),
    }


def contract() -> list[dict[str, Any]]:
    """Every activation in every size, layers named and numbered by turns."""
    sizes = [(activation, hidden) for activation in ACTIVATIONS for hidden in HIDDEN_SIZES]
    return [case(activation, hidden, i % 2 == 0) for i, (activation, hidden) in enumerate(sizes)]


def test_the_committed_numbers_are_those_that_pytorch_computes() -> None:
    committed = json.loads(CONTRACT.read_text())
    computed = contract()
    assert len(committed) == len(computed)
    for old, new in zip(committed, computed, strict=True):
        assert old["activation"] == new["activation"]
        assert old["parameters"] == new["parameters"], "the same seed gives the same parameters"
        assert old["x"] == pytest.approx(new["x"], rel=TOLERANCE)
        assert old["output"] == pytest.approx(new["output"], rel=TOLERANCE, abs=TOLERANCE)
        for old_unit, new_unit in zip(old["units"], new["units"], strict=True):
            assert old_unit == pytest.approx(new_unit, rel=TOLERANCE, abs=TOLERANCE)


def test_layers_are_named_in_some_cases_and_numbered_in_others() -> None:
    names = {case["parameters"][0]["name"] for case in json.loads(CONTRACT.read_text())}
    assert names == {"hidden_linear.weight", "0.weight"}


if __name__ == "__main__":
    CONTRACT.write_text("[\n" + ",\n".join(json.dumps(one) for one in contract()) + "\n]\n")
