"""One record's bytes as named arrays, in every format."""

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load

from livegrad.errors import UnknownThing
from livegrad.protocol import GradState, columns_of
from livegrad.store.parameter_names import other_name
from livegrad.store.snapshot import FACTS, Snapshot, take

SHAPES: list[tuple[str, tuple[int, ...]]] = [
    ("hidden_linear.weight", (2, 1)),
    ("hidden_linear.bias", (2,)),
    ("output_linear.weight", (1, 2)),
    ("output_linear.bias", (1,)),
]
CONFIG = {"name": "π → \0", "hidden": 2}
COLUMNS = columns_of(SHAPES, [])
WIDTH = sum(column.size for column in COLUMNS)
ROWS = st.lists(st.floats(width=32), min_size=WIDTH, max_size=WIDTH)


def snapshot(row: list[float], step: int = 3, state: GradState = "fresh") -> Snapshot:
    return take(
        "r", CONFIG, step, "step", np.array(row, np.float32).tobytes(), COLUMNS, [state] * 4
    )


def numbers(nested: Any) -> Any:
    return [numbers(part) for part in nested] if isinstance(nested, list) else float(nested)


@given(ROWS)
def test_every_format_gives_back_the_same_float32(row: list[float]) -> None:
    taken = snapshot(row)
    arrays = taken.arrays()
    plain = json.loads(json.dumps(taken.as_json(), allow_nan=False))
    for parameter in plain["parameters"]:
        for key, name in (("value", parameter["name"]), ("grad", f"{parameter['name']}.grad")):
            told = np.array(numbers(parameter[key]), np.float32)
            np.testing.assert_array_equal(told, arrays[name])
    archive = dict(np.load(io.BytesIO(taken.as_npz()), allow_pickle=False))
    del archive[FACTS]
    for file in (load(taken.as_safetensors()), archive):
        assert {n: a.tobytes() for n, a in file.items()} == {
            n: a.tobytes() for n, a in arrays.items()
        }


@given(ROWS)
def test_json_and_npz_say_of_what_run_and_step_they_are(row: list[float]) -> None:
    taken = snapshot(row)
    facts = {"run": "r", "step": 3, "phase": "step", "loss": taken.loss, "config": CONFIG}
    assert taken.as_json() == facts | {"parameters": taken.as_json()["parameters"]}
    assert (
        json.loads(np.load(io.BytesIO(taken.as_npz()), allow_pickle=False)[FACTS].item()) == facts
    )


def test_parts_are_where_the_columns_say() -> None:
    taken = snapshot([float(i) for i in range(WIDTH)])
    assert taken.parameter("hidden_linear.weight").value.tolist() == [[3.0], [4.0]]
    assert taken.parameter("output_linear.weight").value.tolist() == [[7.0, 8.0]]
    grad = taken.parameter("hidden_linear.weight").grad
    assert grad is not None
    assert grad.tolist() == [[10.0], [11.0]]
    assert taken.loss == 0.0


def test_a_gradient_that_is_none_is_null_and_absent_from_files() -> None:
    taken = snapshot([0.0] * WIDTH, state="none")
    assert {p["grad"] for p in taken.as_json()["parameters"]} == {None}
    assert list(taken.arrays()) == [name for name, _ in SHAPES]
    assert taken.as_csv().splitlines()[:2] == [
        "name,value,grad",
        '"hidden_linear.weight[0, 0]",0.0,',
    ]


def test_a_loss_that_is_not_there_yet_is_null_and_one_that_is_nan_is_told() -> None:
    row = [float("nan")] * WIDTH
    assert snapshot(row, step=0).loss is None
    assert snapshot(row, step=1).loss == "nan"


@pytest.mark.parametrize("name", [name for name, _ in SHAPES])
def test_names_and_numbers_lead_to_each_other(name: str) -> None:
    assert other_name(other_name(name)) == name
    taken = snapshot([0.0] * WIDTH)
    assert taken.parameter(other_name(name)) is taken.parameter(name)


@pytest.mark.parametrize(
    "name", ["", "1.weight", "hidden_linear", "0.weight.grad", "hidden_linear.weight[0, 0]"]
)
def test_an_unknown_parameter_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UnknownThing, match=r"output_linear\.bias"):
        snapshot([0.0] * WIDTH).parameter(name)
