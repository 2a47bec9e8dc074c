"""Every record of a run is, bit for bit, what plain PyTorch computes.

Over the websocket, and over REST.
"""

import math
from typing import Any

import numpy as np
import pytest

from tests.plain import Plain
from tests.running import Server
from tests.viewer import stored, viewing

STEPS = 2000
ASKED: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": {"kind": "sgd", "lr": 0.001}},
    "sgd with everything": {
        "optimizer": {
            "kind": "sgd",
            "lr": 0.001,
            "momentum": 0.9,
            "nesterov": True,
            "weight_decay": 0.01,
        },
        "activation": "sigmoid",
        "batch_size": 4,
        "seed": 3,
    },
    "sgd with dampening": {
        "optimizer": {"kind": "sgd", "lr": 0.001, "momentum": 0.5, "dampening": 0.2},
        "activation": "none",
        "batch_size": 1,
        "hidden": 1,
    },
    "adam": {"optimizer": {"kind": "adam"}, "dataset": "sine", "hidden": 64, "seed": 2**40 + 1},
    "adam amsgrad": {
        "optimizer": {
            "kind": "adam",
            "lr": 0.01,
            "betas": [0.8, 0.99],
            "eps": 1e-6,
            "amsgrad": True,
        },
        "activation": "relu",
        "batch_size": 7,
        "dataset": "line",
        "named_layers": False,
    },
    "adamw": {
        "optimizer": {"kind": "adamw", "lr": 0.02},
        "dataset": "step",
        "batch_size": 24,
        "seed": 11,
    },
    "rmsprop": {"optimizer": {"kind": "rmsprop"}, "hidden": 5},
    "rmsprop with everything": {
        "optimizer": {
            "kind": "rmsprop",
            "lr": 0.001,
            "alpha": 0.9,
            "momentum": 0.5,
            "centered": True,
        },
        "activation": "sigmoid",
        "batch_size": 2,
        "dataset": "sine",
    },
    "gradients that add up": {
        "optimizer": {"kind": "sgd", "lr": 1e-5},
        "zero_grad": False,
        "batch_size": 5,
    },
}


def plain_records(
    server: Server, asked: dict[str, Any], columns: list[dict[str, Any]]
) -> dict[int, bytes]:
    """Return what plain PyTorch holds after 0, 1, … STEPS updates."""
    name = asked.get("dataset", "temperature")
    plain = Plain(asked, next(d for d in server.get("/datasets") if d["name"] == name))
    records = {0: plain.record(columns)}
    for _ in range(STEPS):
        plain.iterate()
        records[plain.step] = plain.record(columns)
    return records


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED.keys())
def test_2000_steps_are_plain_pytorchs_bit_for_bit(server: Server, asked: dict[str, Any]) -> None:
    run = server.create(**asked, pace=None)
    with viewing(server, run) as viewer:
        for step in range(STEPS // 4, STEPS + 1, STEPS // 4):  # no more at once than sockets hold
            assert server.command(run, "step", count=STEPS // 4)["step"] == step
            viewer.take_step(step)
    expected = plain_records(server, asked, viewer.columns)
    assert_same(viewer.records(), expected)
    assert all(frame.skipped == 0 for frame in viewer.frames)
    assert_same(stored(server, run, viewer.hello["record_bytes"]), expected)
    for step in (0, 1, 2, *range(3, STEPS, 97), STEPS):
        assert_snapshot(
            server.get(f"/runs/{run}/parameters", params={"step": step}),
            step,
            expected,
            viewer.columns,
        )
    server.client.delete(f"/api/runs/{run}")


def assert_same(found: dict[int, bytes], expected: dict[int, bytes]) -> None:
    assert list(found) == list(expected)
    different = [step for step, record in expected.items() if found[step] != record]
    assert not different, f"{len(different)} steps differ, the first is {different[0]}"


def assert_snapshot(
    snapshot: dict[str, Any], step: int, expected: dict[int, bytes], columns: list[dict[str, Any]]
) -> None:
    row = np.frombuffer(expected[step], np.float32)
    told = {p["name"]: p for p in snapshot["parameters"]}
    assert snapshot["step"] == step
    assert snapshot["loss"] == (None if step == 0 else float(row[0]))
    for column in columns:
        part = row[column["offset"] : column["offset"] + math.prod(column["shape"])].reshape(
            column["shape"]
        )
        if column["role"] == "parameter":
            assert told[column["name"]]["value"] == part.tolist()
        if column["role"] == "gradient":
            assert told[column["name"]]["grad"] == (None if step == 0 else part.tolist())


def test_the_data_are_the_thermometers_own(server: Server) -> None:
    # The readings of the book, as anyone would type them in.
    t_c = [0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0]
    t_u = [35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4]
    [thermometer] = [d for d in server.get("/datasets") if d["name"] == "temperature"]
    assert thermometer["points"] == {"x": t_u, "y": t_c}
    assert (thermometer["x"]["scale"], thermometer["y"]["scale"]) == (0.1, 1.0)


@pytest.mark.parametrize("dataset", ["temperature", "sine", "step", "line"])
def test_the_run_tells_the_very_numbers_that_it_is_fed(server: Server, dataset: str) -> None:
    asked = {"dataset": dataset, "seed": 5}
    run = server.create(**asked)
    told = server.get(f"/runs/{run}/data")
    plain = Plain(asked, next(d for d in server.get("/datasets") if d["name"] == dataset))
    for part, (x, y) in (("train", plain.train), ("validation", plain.validation)):
        assert told[part] == {"x": x.flatten().tolist(), "y": y.flatten().tolist()}
    server.client.delete(f"/api/runs/{run}")


def test_no_two_optimizers_or_options_go_untested() -> None:
    kinds = {asked["optimizer"]["kind"] for asked in ASKED.values()}
    assert kinds == {"sgd", "adam", "adamw", "rmsprop"}
    assert {asked.get("activation", "tanh") for asked in ASKED.values()} == {
        "tanh",
        "sigmoid",
        "relu",
        "none",
    }
