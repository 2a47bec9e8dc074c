"""The script of a run, run: plain PyTorch in a process of its own comes to the same bytes."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.running import Server
from tests.server.test_branches import OPTIMIZERS, branch


def outcome(server: Server, run: str, folder: Path, *flags: str) -> tuple[dict[str, bytes], str]:
    """Run the script of `run`; return what it came to, as bytes by name, and what it printed."""
    answer = server.client.get(f"/api/runs/{run}/script")
    assert answer.is_success, answer.text
    assert "livegrad." not in answer.text
    script, weights = folder / f"{run}.py", folder / f"{run}.pt"
    script.write_text(answer.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", script, "--save", weights, *flags],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr + answer.text
    state = torch.load(weights, weights_only=True)
    return {name: value.numpy().tobytes() for name, value in state.items()}, done.stdout


def recorded(server: Server, run: str, step: int) -> dict[str, bytes]:
    answer = server.client.get(
        f"/api/runs/{run}/parameters", params={"step": step, "format": "npz"}
    )
    assert answer.is_success, answer.text
    arrays = np.load(io.BytesIO(answer.content))
    return {
        name: arrays[name].tobytes()
        for name in arrays
        if "." in name and not name.endswith(".grad")
    }


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer["kind"])
def test_a_script_comes_to_the_same_bytes(
    server: Server, optimizer: dict[str, Any], tmp_path: Path
) -> None:
    run = server.create(optimizer=optimizer, batch_size=4, seed=3, pace=None)
    server.command(run, "step", count=70)
    weights, printed = outcome(server, run, tmp_path)
    assert weights == recorded(server, run, 70)
    loss = server.get(f"/runs/{run}")["loss"]
    assert f"step 70: loss {loss!r}," in printed


@pytest.mark.parametrize(
    "config",
    [
        {
            "dataset": "sine",
            "activation": "relu",
            "hidden": 20,
            "named_layers": False,
            "seed": 2**53 - 1,
        },
        {"dataset": "step", "activation": "sigmoid", "batch_size": 7, "data_seed": 9},
        {"dataset": "line", "activation": "none", "hidden": 1, "zero_grad": False},
        {"name": 'a"""\\\n\u2028é', "optimizer": {"kind": "sgd", "lr": 1e6}},
    ],
    ids=["sine", "step", "line", "diverged"],
)
def test_every_configuration_has_its_script(
    server: Server, config: dict[str, Any], tmp_path: Path
) -> None:
    run = server.create(pace=None, **config)
    server.command(run, "step", count=40)
    assert outcome(server, run, tmp_path)[0] == recorded(server, run, 40)


def test_a_script_stops_where_it_is_told_and_starts_from_the_seed(
    server: Server, tmp_path: Path
) -> None:
    run = server.create(pace=None)
    server.command(run, "step", count=30)
    assert outcome(server, run, tmp_path, "--steps", "12")[0] == recorded(server, run, 12)
    assert outcome(server, run, tmp_path, "--steps", "0")[0] == recorded(server, run, 0)


def test_learning_rates_are_tuned_at_their_steps(server: Server, tmp_path: Path) -> None:
    run = server.create(optimizer={"kind": "adam", "lr": 0.01}, pace=None)
    server.command(run, "tune", lr=0.02)
    server.command(run, "step", count=20)
    server.command(run, "tune", lr=0.003, pace=None)
    server.command(run, "step", count=15)
    server.command(run, "phase")
    server.command(run, "tune", lr=0.1)
    server.command(run, "step", count=15)
    weights, _ = outcome(server, run, tmp_path)
    assert weights == recorded(server, run, server.get(f"/runs/{run}")["step"])


def test_an_unchanged_branch_reads_as_one_training(server: Server, tmp_path: Path) -> None:
    run = server.create(optimizer={"kind": "adam", "lr": 0.01}, batch_size=3, pace=None)
    server.command(run, "step", count=20)
    server.command(run, "tune", lr=0.02)
    server.command(run, "step", count=20)
    child = branch(server, run, 30)
    server.command(child, "step", count=20)
    weights, _ = outcome(server, child, tmp_path)
    assert weights == recorded(server, child, 50)
    assert server.client.get(f"/api/runs/{child}/script").text.count("torch.optim.") == 1


CHANGES: list[dict[str, Any]] = [
    {"optimizer": {"kind": "adamw", "lr": 0.02}},
    {"optimizer": {"kind": "rmsprop", "momentum": 0.5}, "batch_size": None},
    {"activation": "sigmoid", "dataset": "sine", "seed": 8},
    {"zero_grad": False, "optimizer": {"lr": 1e-5}},
]


def family(server: Server, changes: dict[str, Any]) -> tuple[str, str, str]:
    run = server.create(optimizer={"kind": "adam", "lr": 0.01}, batch_size=4, pace=None)
    server.command(run, "step", count=20)
    child = branch(server, run, 15, **changes)
    server.command(child, "step", count=15)
    grandchild = branch(server, child, 25, optimizer={"lr": 1e-4}, data_seed=77)
    server.command(grandchild, "step", count=10)
    return run, child, grandchild


@pytest.mark.parametrize("changes", CHANGES, ids=["adamw", "rmsprop", "data", "zero_grad"])
def test_a_continued_run_tells_its_whole_ancestry(
    server: Server, changes: dict[str, Any], tmp_path: Path
) -> None:
    *_, grandchild = family(server, changes)
    assert outcome(server, grandchild, tmp_path)[0] == recorded(server, grandchild, 35)


@pytest.mark.parametrize("changes", [CHANGES[0], CHANGES[3]], ids=["adamw", "zero_grad"])
def test_an_orphan_begins_with_the_numbers_it_was_given(
    server: Server, changes: dict[str, Any], tmp_path: Path
) -> None:
    *elders, grandchild = family(server, changes)
    for elder in elders:
        assert server.client.delete(f"/api/runs/{elder}").status_code == 204
        assert outcome(server, grandchild, tmp_path)[0] == recorded(server, grandchild, 35)


def test_a_branch_of_a_run_at_its_first_step_starts_its_optimizer_anew(
    server: Server, tmp_path: Path
) -> None:
    run = server.create(pace=None)
    server.command(run, "step", count=20)
    child = branch(server, run, 20, optimizer={"kind": "adam", "lr": 0.01})
    grandchild = branch(server, child, 20, optimizer={"lr": 0.02})
    server.command(grandchild, "step", count=10)
    assert outcome(server, grandchild, tmp_path)[0] == recorded(server, grandchild, 30)


def test_a_run_without_a_step_has_no_script_yet(server: Server) -> None:
    assert server.client.get("/api/runs/00000000/script").status_code == 404


@pytest.mark.parametrize("tunings", [4, 5, 6, 20])
def test_a_rate_may_be_tuned_any_number_of_times(
    server: Server, tmp_path: Path, tunings: int
) -> None:
    run = server.create(optimizer={"kind": "adam", "lr": 0.01}, pace=None, name='odd\n"""\\\u2028')
    for number in range(tunings):
        server.command(run, "tune", lr=0.01 + (number + 1) / 3000)
        server.command(run, "step", count=2)
    child = branch(server, run, tunings, batch_size=3, name="🦊" * 80)
    for number in range(tunings):
        server.command(child, "tune", lr=0.02 + (number + 1) / 3000)
        server.command(child, "step", count=2)
    assert outcome(server, run, tmp_path)[0] == recorded(server, run, 2 * tunings)
    assert outcome(server, child, tmp_path)[0] == recorded(server, child, 3 * tunings)
