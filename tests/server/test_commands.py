"""Commands do exactly what they say, in the states that allow them, and are refused in words in the
others.

Covers api/runs.py.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from livegrad.lifecycle.states import TABLE, State, Verdict
from tests.plain import Plain
from tests.running import Server, serving
from tests.viewer import record_bytes, stored

COMMANDS: dict[str, dict[str, Any]] = {
    "play": {},
    "pause": {},
    "step": {"count": 2},
    "phase": {},
    "tune": {"lr": 0.002},
}


def order(server: Server, run: str, kind: str, **arguments: Any) -> httpx.Response:
    return server.client.post(f"/api/runs/{run}/commands", json={"kind": kind, **arguments})


def run_in(server: Server, state: State) -> str:
    """Make a run and bring it into `state`."""
    if state is State.STARTING:
        return str(server.post("/runs", {"pace": None})["id"])  # no wait: its trainer is on its way
    run = server.create(pace=None, max_steps=3 if state is State.FINISHED else 10_000_000)
    if state in (State.RUNNING, State.FINISHED):
        server.command(run, "play")
    server.wait(run, state)
    return run


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize("state", [State.STARTING, State.PAUSED, State.RUNNING, State.FINISHED])
def test_each_state_takes_and_refuses_what_the_table_says(
    server: Server, state: State, kind: Any
) -> None:
    run = run_in(server, state)
    shown = server.get(f"/runs/{run}")
    if shown["state"] == state:  # a starting run may be ready by now
        assert (kind in shown["allowed"]) is (TABLE[state][kind] is not Verdict.REFUSE)
    answer = order(server, run, kind, **COMMANDS[kind])
    if TABLE[state][kind] is Verdict.REFUSE:
        assert answer.status_code == 409, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert f"'{kind}'" in answer.json()["detail"]
        assert f"'{state}'" in answer.json()["detail"]
    else:
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) == {"applied_at_step", "state", "phase", "step"}
    server.client.delete(f"/api/runs/{run}")


def test_step_takes_exactly_so_many(server: Server) -> None:
    run = server.create(pace=None)
    done = 0
    for count in (1, 1, 7, 256, 257, 1000, 1):
        answer = server.command(run, "step", count=count)
        assert answer == {
            "applied_at_step": done,
            "state": "paused",
            "phase": "step",
            "step": done + count,
        }
        done += count
        assert server.get(f"/runs/{run}")["step"] == done
    server.client.delete(f"/api/runs/{run}")


def test_step_stops_at_the_last_step_of_the_run(server: Server) -> None:
    run = server.create(pace=None, max_steps=5)
    assert server.command(run, "step", count=100) == {
        "applied_at_step": 0,
        "state": "finished",
        "phase": "step",
        "step": 5,
    }
    server.client.delete(f"/api/runs/{run}")


def test_a_step_goes_as_fast_as_it_can_whatever_the_pace(server: Server) -> None:
    run = server.create(pace=0.1)
    began = time.monotonic()
    server.command(run, "step", count=20)
    assert time.monotonic() - began < 100  # at its pace: 200 s
    server.client.delete(f"/api/runs/{run}")


def test_pause_stops_within_one_step(server: Server) -> None:
    run = server.create(pace=None, max_steps=10_000_000)
    for _ in range(5):
        server.command(run, "play")
        before = server.get(f"/runs/{run}")["step"]
        answer = server.command(run, "pause")
        assert answer["state"] == "paused"
        assert answer["step"] >= before
        assert answer["step"] - answer["applied_at_step"] in (0, 1)
        assert server.get(f"/runs/{run}")["step"] == answer["step"]
    server.client.delete(f"/api/runs/{run}")


def test_commands_from_many_clients_at_once_are_each_answered(server: Server) -> None:
    run = server.create(pace=None)
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: order(server, run, "step", count=3), range(24)))
    taken = [a for a in answers if a.status_code == 200]
    assert {a.status_code for a in answers} <= {200, 409}
    assert server.get(f"/runs/{run}")["step"] == 3 * len(taken)
    assert {a.json()["step"] for a in taken} == {3 * (i + 1) for i in range(len(taken))}
    server.client.delete(f"/api/runs/{run}")


def test_a_tuned_learning_rate_is_recorded_and_does_what_it_does_in_plain_pytorch(
    server: Server,
) -> None:
    run = server.create(optimizer={"kind": "adam", "lr": 0.01}, pace=None)
    plain = Plain({"optimizer": {"kind": "adam", "lr": 0.01}}, server.get("/datasets")[0])
    expected: dict[int, tuple[float, list[Any]]] = {}
    for lr in (0.01, 0.003, 0.1):
        assert server.command(run, "tune", lr=lr)["state"] == "paused"
        assert server.get(f"/runs/{run}")["lr"] == lr
        server.command(run, "step", count=20)
        plain.optimizer.param_groups[0]["lr"] = lr
        for _ in range(20):
            plain.iterate()
            expected[plain.step] = (
                np.float32(lr).item(),
                [p.tolist() for p in plain.model.parameters()],
            )
    for step in expected:
        told = server.get(f"/runs/{run}/parameters", params={"step": step})["parameters"]
        assert expected[step][1] == [p["value"] for p in told]
    rates = server.get(f"/runs/{run}/series", params={"name": "lr", "from": 1})["series"][0][
        "values"
    ]
    assert rates == [expected[step][0] for step in expected]
    server.client.delete(f"/api/runs/{run}")


def test_a_run_under_way_takes_a_new_learning_rate_from_the_step_it_names(server: Server) -> None:
    run = server.create(pace=None, max_steps=10_000_000)
    server.command(run, "play")
    at = server.command(run, "tune", lr=0.0002)["applied_at_step"]
    end = server.command(run, "pause")["step"]
    records = stored(server, run, record_bytes(server, run), max(0, at - 1), min(end, at + 5))
    rates = {step: float(np.frombuffer(row, np.float32)[2]) for step, row in records.items()}
    assert rates == {step: float(np.float32(0.0005 if step <= at else 0.0002)) for step in rates}
    server.client.delete(f"/api/runs/{run}")


def test_a_pace_holds_training_back_and_null_lets_it_go(server: Server) -> None:
    run = server.create(pace=20, max_steps=10_000_000)
    began = time.monotonic()
    server.command(run, "play")
    while server.get(f"/runs/{run}")["step"] < 20:
        time.sleep(0.02)
    assert time.monotonic() - began > 0.7  # 20 steps at 20 a second; loosely
    assert server.command(run, "tune", pace=None)["state"] == "running"
    assert server.get(f"/runs/{run}")["pace"] is None
    server.command(run, "tune", pace=0.1)
    slow = server.command(run, "pause")["step"]
    assert slow >= 20
    server.client.delete(f"/api/runs/{run}")


def test_a_slow_pace_does_not_keep_commands_waiting(server: Server) -> None:
    run = server.create(pace=0.1)
    server.command(run, "play")
    began = time.monotonic()
    server.command(run, "tune", lr=0.5)
    server.command(run, "pause")
    assert time.monotonic() - began < 5  # a step every 10 s
    server.client.delete(f"/api/runs/{run}")


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "step", "count": 0}, "count", "0"),
    ({"kind": "step", "count": 10_001}, "count", "10001"),
    ({"kind": "step", "count": 1.5}, "count", "1.5"),
    ({"kind": "step", "count": "3"}, "count", "'3'"),
    ({"kind": "step", "count": None}, "count", "None"),
    ({"kind": "jump"}, "play", "jump"),
    ({}, "kind", "{}"),
    ({"kind": "play", "fast": True}, "fast", "True"),
    ({"kind": "tune"}, "lr, pace", "tune"),
    ({"kind": "tune", "lr": -1}, "lr", "-1"),
    ({"kind": "tune", "lr": None}, "lr", "None"),
    ({"kind": "tune", "pace": 0}, "pace", "0"),
    ({"kind": "tune", "pace": "fast"}, "pace", "fast"),
]


@pytest.mark.parametrize(("body", "expected", "received"), BAD, ids=lambda part: str(part))
def test_a_bad_command_is_a_problem_that_names_expected_and_received(
    server: Server, body: dict[str, Any], expected: str, received: str
) -> None:
    run = server.get("/runs")[-1]["id"]
    answer = server.client.post(f"/api/runs/{run}/commands", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert expected in problem["detail"]
    assert received in problem["detail"]
    assert problem["errors"][0].keys() >= {"loc", "msg", "received"}


BAD_CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"hidden": 0}, "hidden"),
    ({"hidden": 65}, "hidden"),
    ({"hidden": "13"}, "hidden"),
    ({"activation": "swish"}, "activation"),
    ({"dataset": "mnist"}, "dataset"),
    ({"optimizer": {"kind": "lion"}}, "optimizer"),
    ({"optimizer": {"kind": "adam", "momentum": 0.9}}, "momentum"),
    ({"optimizer": {"kind": "sgd", "nesterov": True}}, "nesterov"),
    ({"optimizer": {"kind": "adam", "betas": [0.9]}}, "betas"),
    ({"optimizer": {"kind": "adam", "betas": [0.9, 1.0]}}, "betas"),
    ({"batch_size": 10}, "batch_size"),
    ({"seed": -1}, "seed"),
    ({"seed": 2**53}, "seed"),
    ({"pace": 0}, "pace"),
    ({"max_steps": 0}, "max_steps"),
    ({"name": ""}, "name"),
    ({"speed": 3}, "speed"),
]


@pytest.mark.parametrize(("body", "field"), BAD_CONFIGS, ids=lambda part: str(part))
def test_a_bad_configuration_is_a_problem_that_names_its_field(
    server: Server, body: dict[str, Any], field: str
) -> None:
    before = len(server.get("/runs"))
    answer = server.client.post("/api/runs", json=body)
    assert answer.status_code == 422
    assert field in answer.json()["detail"]
    assert len(server.get("/runs")) == before


@pytest.mark.parametrize(
    "path",
    ["", "/parameters", "/parameters/0.weight", "/records", "/series", "/data"],
)
def test_an_unknown_run_is_not_found(server: Server, path: str) -> None:
    answer = server.client.get(f"/api/runs/deadbeef{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "deadbeef" in answer.json()["detail"]


def test_unknown_parameters_steps_and_series_are_not_found_and_told_what_there_is(
    server: Server,
) -> None:
    run = server.create(pace=None)
    server.command(run, "step", count=12)
    for path, words in (
        ("parameters?step=13", "there are steps 0 to 12"),
        ("parameters/hidden_linear.weight?step=9999", "there are steps 0 to 12"),
        ("records?from=13", "there are steps 0 to 12"),
        (
            "parameters/hidden.weight",
            "hidden_linear.weight, hidden_linear.bias, output_linear.weight",
        ),
        ("series?name=accuracy", "loss, validation_loss, lr"),
        ("series?name=hidden_linear.weight[13,0]", "within its shape"),
    ):
        answer = server.client.get(f"/api/runs/{run}/{path}")
        assert answer.status_code == 404, path
        assert words in answer.json()["detail"]
    server.client.delete(f"/api/runs/{run}")


def test_beyond_the_limit_of_runs_there_is_a_clear_refusal_until_one_ends(tmp_path: Any) -> None:
    with serving(tmp_path, "--max-runs", "2") as small:
        first = small.create(pace=None, max_steps=1)
        answer = small.client.post("/api/runs", json={})
        assert answer.status_code == 409
        assert "--max-runs" in answer.json()["detail"]
        assert "2 runs are under way" in answer.json()["detail"]
        small.command(first, "step")
        small.wait(first, "finished")
        third = small.create()
        assert small.client.post("/api/runs", json={}).status_code == 409
        assert small.client.delete(f"/api/runs/{third}").status_code == 204
        small.create()


def test_runs_deleted_while_they_start_leave_nothing_behind(server: Server) -> None:
    for _ in range(5):
        run = server.post("/runs", {})["id"]
        assert server.client.delete(f"/api/runs/{run}").status_code == 204
    # What goes wrong in the background is written to the server's log, which the fixture reads in
    # the end.
    assert server.create()


def test_the_step_that_finishes_a_run_is_answered_though_its_trainer_ends_with_it(
    server: Server,
) -> None:
    for _ in range(10):
        run = server.create(max_steps=5, pace=None)
        assert server.command(run, "step", count=5) == {
            "applied_at_step": 0,
            "state": "finished",
            "phase": "step",
            "step": 5,
        }


def test_a_deleted_run_is_gone_with_its_history(server: Server) -> None:
    run = server.create(pace=None, max_steps=10_000_000)
    server.command(run, "play")
    assert server.client.delete(f"/api/runs/{run}").status_code == 204
    assert server.client.get(f"/api/runs/{run}").status_code == 404
    assert server.client.delete(f"/api/runs/{run}").status_code == 404
    assert run not in [other["id"] for other in server.get("/runs")]
