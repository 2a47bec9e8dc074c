"""A server that ends and comes back has every run and every record.

What was interrupted goes on, bit for bit.

Covers api/app.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from tests.running import Server, serving
from tests.viewer import stored, viewing

ASKED: dict[str, dict[str, Any]] = {
    "sgd": {"optimizer": {"kind": "sgd", "lr": 0.001}},
    "momentum": {
        "optimizer": {"kind": "sgd", "lr": 1e-3, "momentum": 0.9, "nesterov": True},
        "batch_size": 4,
    },
    "adam": {"optimizer": {"kind": "adam", "lr": 0.01}, "batch_size": 2, "named_layers": False},
    "amsgrad": {"optimizer": {"kind": "adam", "lr": 0.01, "amsgrad": True}, "dataset": "sine"},
    "adamw": {"optimizer": {"kind": "adamw", "lr": 0.01}, "batch_size": 7, "dataset": "line"},
    "rmsprop": {
        "optimizer": {"kind": "rmsprop", "momentum": 0.5, "centered": True},
        "batch_size": 1,
    },
    "uncleared": {"optimizer": {"kind": "sgd", "lr": 1e-5, "momentum": 0.5}, "zero_grad": False},
}
HALF, WHOLE = 33, 70
pytestmark = pytest.mark.slow


@dataclass
class Facts:
    """Everything that a server tells of its runs, to compare with what it told before."""

    runs: list[dict[str, Any]]
    records: dict[str, bytes]
    data: dict[str, Any]
    parameters: dict[str, Any]


def facts(server: Server) -> Facts:
    runs = server.get("/runs")
    ids = [run["id"] for run in runs]
    return Facts(
        runs,
        {run: server.client.get(f"/api/runs/{run}/records").content for run in ids},
        {run: server.get(f"/runs/{run}/data") for run in ids},
        {run: server.get(f"/runs/{run}/parameters") for run in ids},
    )


@dataclass
class Restarted:
    """A server on the data of one that ended while `halves` were under way."""

    server: Server
    before: Facts
    after: Facts
    exit_code: int
    trainers_left: list[psutil.Process]
    finished: str
    tuned: str
    uncleared: str
    halves: dict[str, str]
    wholes: dict[str, str]

    def history(self, run: str) -> dict[int, bytes]:
        with viewing(self.server, run) as viewer:
            return stored(self.server, run, viewer.hello["record_bytes"])


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restarted]:
    folder = tmp_path_factory.mktemp("restarted")
    with serving(folder, "--max-runs", "20") as first:
        finished = first.create(pace=None, max_steps=300)
        first.command(finished, "play")
        first.wait(finished, "finished")
        tuned = first.create(pace=7, max_steps=200)
        first.command(tuned, "step", count=50)
        first.command(tuned, "tune", lr=0.0001, pace=None)
        uncleared = first.create(zero_grad=False)
        first.command(uncleared, "step", count=4)
        halves, wholes = {}, {}
        for name, asked in ASKED.items():
            halves[name], wholes[name] = (
                first.create(**asked, pace=None),
                first.create(**asked, pace=None),
            )
            first.command(halves[name], "step", count=HALF)
            first.command(wholes[name], "step", count=WHOLE)
        before, children = facts(first), first.descendants()
        for _ in range(4):  # stopped in the middle of an iteration, which is then begun anew
            first.command(halves["adam"], "phase")
        exit_code = first.stop()
        left = psutil.wait_procs(children, timeout=10)[1]
    with serving(folder, "--max-runs", "20") as second:
        yield Restarted(
            second,
            before,
            facts(second),
            exit_code,
            left,
            finished,
            tuned,
            uncleared,
            halves,
            wholes,
        )


def test_a_server_that_is_stopped_takes_its_trainers_with_it(restarted: Restarted) -> None:
    assert restarted.exit_code == 0
    assert not restarted.trainers_left


def test_after_a_restart_every_run_and_every_byte_of_its_history_is_there(
    restarted: Restarted,
) -> None:
    before, after = restarted.before, restarted.after
    interrupted = {
        "state": "interrupted",
        "reason": "the server was stopped",
        "allowed": ["play", "step", "phase", "tune"],
    }
    assert after.runs == [r if r["state"] == "finished" else r | interrupted for r in before.runs]
    assert after.records == before.records
    assert after.data == before.data
    assert after.parameters == before.parameters


@pytest.mark.parametrize("name", ASKED)
def test_an_interrupted_run_retraces_the_uninterrupted_one_bit_for_bit(
    restarted: Restarted, name: str
) -> None:
    run = restarted.halves[name]
    assert restarted.server.get(f"/runs/{run}")["step"] == HALF
    answer = restarted.server.command(run, "step", count=WHOLE - HALF)
    assert (answer["applied_at_step"], answer["step"]) == (HALF, WHOLE)
    assert restarted.history(run) == restarted.history(restarted.wholes[name])


def test_play_resumes_an_interrupted_run_with_what_was_tuned(restarted: Restarted) -> None:
    server, run = restarted.server, restarted.tuned
    found = server.get(f"/runs/{run}")
    assert (found["lr"], found["pace"]) == (0.0001, None)
    assert server.command(run, "play")["state"] == "running"
    assert server.wait(run, "finished")["step"] == 200
    rates = server.get(f"/runs/{run}/series", params={"name": "lr", "from": 1})["series"][0][
        "values"
    ]
    assert set(rates[:50]) == {0.0005000000237487257}
    assert set(rates[50:]) == {9.999999747378752e-05}


def test_gradients_that_were_there_are_stale_at_the_forward_after_resuming(
    restarted: Restarted,
) -> None:
    server, run = restarted.server, restarted.uncleared
    before = restarted.before.parameters[run]["parameters"]
    assert server.command(run, "phase")["phase"] == "forward"
    now = server.get(f"/runs/{run}/parameters")["parameters"]
    assert [p["grad"] for p in now] == [p["grad"] for p in before]
    assert {p["grad_state"] for p in now} == {"stale"}


def test_a_finished_run_stays_finished(restarted: Restarted) -> None:
    answer = restarted.server.client.post(
        f"/api/runs/{restarted.finished}/commands", json={"kind": "play"}
    )
    assert answer.status_code == 409


def test_a_second_server_on_the_same_data_is_refused(restarted: Restarted) -> None:
    with (
        pytest.raises(AssertionError, match="another livegrad is at work"),
        serving(restarted.server.data),
    ):
        pass
