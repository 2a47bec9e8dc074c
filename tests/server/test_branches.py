"""Runs that continue others.

The same numbers, the same place in the data order; and where two runs part.

Covers api/branches.py.
"""

from typing import Any

import numpy as np
import pytest

from tests.running import Server
from tests.viewer import record_bytes, stored

OPTIMIZERS: list[dict[str, Any]] = [
    {"kind": "sgd", "lr": 0.001},
    {"kind": "sgd", "lr": 0.001, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"kind": "adam", "lr": 0.01, "amsgrad": True},
    {"kind": "adamw", "lr": 0.01},
    {"kind": "rmsprop", "lr": 0.001, "momentum": 0.5, "centered": True},
]


def records(server: Server, run: str, first: int, last: int) -> list[tuple[int, bytes]]:
    """Return each step with its record, all of the range."""
    found = list(stored(server, run, record_bytes(server, run), first, last).items())
    assert [step for step, _ in found] == list(range(first, last + 1))
    return found


def branch(server: Server, run: str, step: int, **changes: Any) -> str:
    child = server.post(f"/runs/{run}/branches", {"step": step, "changes": changes})
    assert child["parent"] == {"run": run, "step": step}
    server.wait(child["id"], "paused")
    return str(child["id"])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer["kind"])
def test_an_unchanged_branch_retraces_its_parent_bit_for_bit(
    server: Server, optimizer: dict[str, Any]
) -> None:
    run = server.create(optimizer=optimizer, batch_size=4, seed=3, pace=None)
    server.command(run, "step", count=60)
    child = branch(server, run, 17)
    assert server.get(f"/runs/{child}")["step"] == 17
    server.command(child, "step", count=43)
    assert records(server, child, 17, 60) == records(server, run, 17, 60)
    parted = server.get(f"/runs/{run}/divergence", params={"other": child})
    assert (parted["comparable"], parted["first"], parted["last"], parted["step"]) == (
        True,
        17,
        60,
        None,
    )


def test_a_branch_retraces_a_loop_that_lets_gradients_add_up(server: Server) -> None:
    run = server.create(zero_grad=False, optimizer={"kind": "sgd", "lr": 1e-5}, pace=None)
    server.command(run, "step", count=30)
    child = branch(server, run, 20)
    server.command(child, "step", count=10)
    assert records(server, child, 20, 30) == records(server, run, 20, 30)


def test_a_branch_from_step_0_starts_again(server: Server) -> None:
    run = server.create(seed=5, pace=None)
    server.command(run, "step", count=30)
    child = branch(server, run, 0)
    server.command(child, "step", count=30)
    assert records(server, child, 1, 30) == records(server, run, 1, 30)


def test_a_branch_goes_on_with_the_learning_rate_then_in_force(server: Server) -> None:
    run = server.create(optimizer={"kind": "adam", "lr": 0.01}, pace=None)
    server.command(run, "step", count=20)
    server.command(run, "tune", lr=0.002)
    server.command(run, "step", count=20)
    child = branch(server, run, 25)
    assert server.get(f"/runs/{child}")["lr"] == 0.002
    assert server.get(f"/runs/{branch(server, run, 10)}")["lr"] == 0.01
    server.command(child, "step", count=15)
    assert records(server, child, 25, 40) == records(server, run, 25, 40)


def test_a_changed_branch_parts_from_its_parent_at_its_first_own_step(server: Server) -> None:
    run = server.create(pace=None)
    server.command(run, "step", count=30)
    child = branch(server, run, 20, optimizer={"lr": 0.002})
    server.command(child, "step", count=5)
    parted = server.get(f"/runs/{child}/divergence", params={"other": run})
    assert parted["step"] == 21
    mine = server.get(f"/runs/{child}/parameters", params={"step": 21})["parameters"]
    theirs = server.get(f"/runs/{run}/parameters", params={"step": 21})["parameters"]
    gaps = [
        np.abs(np.array(a["value"], float) - np.array(b["value"], float)).max()
        for a, b in zip(mine, theirs, strict=True)
    ]
    assert parted["difference"] == max(gaps)
    assert parted["parameter"].startswith(mine[int(np.argmax(gaps))]["name"])


def test_the_first_record_of_a_branch_is_its_parents_whatever_rate_comes_next(
    server: Server,
) -> None:
    run = server.create(optimizer={"kind": "adam", "lr": 0.01}, pace=None)
    server.command(run, "step", count=20)
    server.command(run, "tune", lr=0.002)  # at the very step that is continued
    server.command(run, "step", count=5)
    size = record_bytes(server, run)
    [parents] = stored(server, run, size, 20, 20).values()
    for child in (branch(server, run, 20), branch(server, run, 20, optimizer={"lr": 0.5})):
        server.wait(child, "paused")
        assert stored(server, child, size, 20, 20)[20] == parents
    before, after = (
        np.frombuffer(row, np.float32)[2]
        for row in (parents, stored(server, run, size, 21, 21)[21])
    )
    assert (before, after) == (np.float32(0.01), np.float32(0.002))


def test_a_branch_may_change_its_optimizer_and_its_data_order(server: Server) -> None:
    run = server.create(batch_size=4, pace=None)
    server.command(run, "step", count=30)
    child = branch(
        server, run, 30, optimizer={"kind": "adam", "lr": 0.01}, data_seed=9, batch_size=2
    )
    assert server.get(f"/runs/{child}")["config"]["optimizer"]["kind"] == "adam"
    assert server.command(child, "step", count=10)["step"] == 40


def test_a_finished_run_can_be_continued(server: Server) -> None:
    run = server.create(max_steps=30, pace=None)
    server.command(run, "step", count=30)
    server.wait(run, "finished")
    child = branch(server, run, 30)
    assert server.command(child, "step", count=10)["step"] == 40


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"step": 99}, 404, "steps 0 to 30"),
        ({"step": -1}, 422, "greater than or equal to 0"),
        ({"step": 3, "changes": {"hidden": 5}}, 422, "hidden"),
        ({"step": 3, "changes": {"max_steps": 2}}, 422, "max_steps"),
        ({"step": 3, "changes": {"optimizer": {"lr": "fast"}}}, 422, "lr"),
        ({"step": 3, "changes": {"colour": "red"}}, 422, "colour"),
        ({"step": 3, "extra": 1}, 422, "extra"),
    ],
)
def test_what_cannot_be_continued_is_refused_in_words(
    server: Server, body: dict[str, Any], status: int, words: str
) -> None:
    run = server.create(pace=None)
    server.command(run, "step", count=30)
    answer = server.client.post(f"/api/runs/{run}/branches", json=body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    server.client.delete(f"/api/runs/{run}")
