"""A snapshot is the same in every format, exactly.

And a diverged run's numbers are told as they are.

Covers api/parameters.py.
"""

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from tests.running import Server

PAIRS = (
    ("hidden_linear.weight", "0.weight"),
    ("hidden_linear.bias", "0.bias"),
    ("output_linear.weight", "2.weight"),
    ("output_linear.bias", "2.bias"),
)


def floats(nested: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Read numbers as anyone would who knows the contract.

    Float("nan") and float("-inf") are Python's too.
    """
    return np.array(np.vectorize(float)(np.array(nested, dtype=object)), np.float32)


def raw(server: Server, run: str, format: str, **query: Any) -> bytes:
    answer = server.client.get(f"/api/runs/{run}/parameters", params={"format": format} | query)
    assert answer.is_success, answer.text
    return answer.content


def expected(server: Server, run: str, **query: Any) -> dict[str, Any]:
    """Return the JSON snapshot as arrays by name, gradients as name.grad."""
    told = server.get(f"/runs/{run}/parameters", params=query)["parameters"]
    values = {p["name"]: floats(p["value"]).reshape(p["shape"]) for p in told}
    grads = {
        f"{p['name']}.grad": floats(p["grad"]).reshape(p["shape"])
        for p in told
        if p["grad"] is not None
    }
    return values | grads


def archived(server: Server, run: str, **query: Any) -> dict[str, Any]:
    """Return the arrays of an npz, once it said of what run and step it is.

    What the JSON snapshot says.
    """
    found = dict(np.load(io.BytesIO(raw(server, run, "npz", **query)), allow_pickle=False))
    told = server.get(f"/runs/{run}/parameters", params=query)
    del told["parameters"]
    assert json.loads(found.pop("__metadata__").item()) == told
    assert told["config"] == server.get(f"/runs/{run}")["config"]
    return found


def assert_equal(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == np.float32
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)  # NaN where NaN, and infinities by sign


@pytest.fixture(scope="module")
def trained(server: Server) -> str:
    run = server.create(pace=None, optimizer={"kind": "adam"})
    server.command(run, "step", count=30)
    return run


@pytest.fixture(scope="module")
def diverged(server: Server) -> str:
    run = server.create(pace=None, activation="none", optimizer={"kind": "sgd", "lr": 0.02})
    server.command(run, "step", count=200)
    return run


def told_as_text(value: Any) -> set[Any]:
    if isinstance(value, list):
        return set().union(*map(told_as_text, value))
    return {value} if isinstance(value, str) else set()


@pytest.mark.parametrize("step", [0, 1, 17, 30])
def test_every_format_holds_the_same_numbers(server: Server, trained: str, step: int) -> None:
    wanted = expected(server, trained, step=step)
    assert len(wanted) == (4 if step == 0 else 8)
    assert_equal(load(raw(server, trained, "safetensors", step=step)), wanted)
    assert_equal(archived(server, trained, step=step), wanted)
    assert_csv(raw(server, trained, "csv", step=step).decode(), wanted)


def assert_csv(text: str, wanted: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(text)))
    elements = {
        f"{name}[{', '.join(map(str, index))}]": (name, index)
        for name in wanted
        if not name.endswith(".grad")
        for index in np.ndindex(wanted[name].shape)
    }
    assert [row["name"] for row in rows] == list(elements)
    for row in rows:
        name, index = elements[row["name"]]
        np.testing.assert_equal(np.float32(row["value"]), wanted[name][index])
        grad = wanted.get(f"{name}.grad")
        if grad is None:
            assert row["grad"] == ""
        else:
            np.testing.assert_equal(np.float32(row["grad"]), grad[index])


def test_without_a_step_every_format_holds_this_moment_within_an_iteration(server: Server) -> None:
    run = server.create(pace=None)
    server.command(run, "step", count=2)
    for phase in ("zero_grad", "forward", "loss", "backward"):
        assert server.command(run, "phase")["phase"] == phase
        wanted = expected(server, run)
        assert len(wanted) == (8 if phase == "backward" else 4)
        assert_equal(load(raw(server, run, "safetensors")), wanted)
        assert_equal(archived(server, run), wanted)
        assert_csv(raw(server, run, "csv").decode(), wanted)
    server.client.delete(f"/api/runs/{run}")


def test_json_floats_read_back_as_the_very_float32(server: Server, trained: str) -> None:
    for parameter in server.get(f"/runs/{trained}/parameters")["parameters"]:
        doubles = np.array(parameter["value"], np.float64)
        assert np.array_equal(doubles, doubles.astype(np.float32).astype(np.float64))


def test_nan_and_infinities_are_texts_in_json_and_themselves_elsewhere(
    server: Server, diverged: str
) -> None:
    seen: set[Any] = set()
    for step in range(201):
        snapshot = server.get(f"/runs/{diverged}/parameters", params={"step": step})
        for parameter in snapshot["parameters"]:
            seen |= told_as_text(parameter["value"]) | told_as_text(parameter["grad"] or [])
        seen |= told_as_text(snapshot["loss"])
    assert seen == {"nan", "inf", "-inf"}
    assert server.get(f"/runs/{diverged}")["loss"] == "nan"
    wanted = expected(server, diverged)
    assert_equal(load(raw(server, diverged, "safetensors")), wanted)
    assert_csv(raw(server, diverged, "csv").decode(), wanted)


@pytest.mark.parametrize("named_layers", [True, False])
def test_each_parameter_answers_to_its_name_and_to_its_number(
    server: Server, named_layers: bool
) -> None:
    run = server.create(pace=None, named_layers=named_layers)
    server.command(run, "step")
    whole = server.get(f"/runs/{run}/parameters")["parameters"]
    for told, (name, number) in zip(whole, PAIRS, strict=True):
        by_name, by_number = (server.get(f"/runs/{run}/parameters/{n}") for n in (name, number))
        assert by_name == by_number
        assert {key: by_name[key] for key in told} == told
        assert by_name["name"] == (name if named_layers else number)
        assert (by_name["run"], by_name["step"], by_name["phase"]) == (run, 1, "step")
    server.client.delete(f"/api/runs/{run}")


def test_a_snapshot_has_the_contracts_shape(server: Server, trained: str) -> None:
    snapshot = server.get(f"/runs/{trained}/parameters")
    assert list(snapshot) == ["run", "step", "phase", "loss", "config", "parameters"]
    first = snapshot["parameters"][0]
    assert list(first) == ["name", "shape", "dtype", "requires_grad", "value", "grad", "grad_state"]
    assert (first["shape"], first["dtype"], first["requires_grad"]) == ([13, 1], "float32", True)
    assert math.isfinite(snapshot["loss"])


def test_safetensors_say_which_moment_they_are(server: Server, trained: str) -> None:
    data = raw(server, trained, "safetensors", step=17)
    header = data[8 : 8 + int.from_bytes(data[:8], "little")].decode()
    for words in (f'"run":"{trained}"', '"step":"17"', '"phase":"step"'):
        assert words in header


def test_an_unknown_format_is_a_problem_that_names_those_there_are(
    server: Server, trained: str
) -> None:
    answer = server.client.get(f"/api/runs/{trained}/parameters", params={"format": "pickle"})
    assert answer.status_code == 422
    assert "safetensors" in answer.json()["detail"]
    assert "pickle" in answer.json()["detail"]
