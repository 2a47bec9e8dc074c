"""Stored records by range, the stream under load and with credit, and series that keep extremes."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.running import Server
from tests.viewer import RECORDS, Seen, read_frames, stored, viewing


@pytest.fixture(scope="module")
def trained(server: Server) -> tuple[str, int]:
    """A run of 5,000 steps, and the length of its records."""
    run = server.create(
        pace=None, max_steps=10_000, optimizer={"kind": "adam", "lr": 0.05}, batch_size=2
    )
    server.command(run, "step", count=5000)
    with viewing(server, run) as viewer:
        return run, int(viewer.hello["record_bytes"])


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 0), (0, 1), (1, 1), (37, 41), (255, 258), (4095, 4097), (0, 5000), (5000, 5000)],
)
def test_a_range_of_records_is_exactly_that_range(
    server: Server, trained: tuple[str, int], first: int, last: int
) -> None:
    run, length = trained
    whole = stored(server, run, length)
    part = stored(server, run, length, first, last)
    assert list(part) == list(range(first, last + 1))
    assert all(part[step] == whole[step] for step in part)


def test_frames_of_an_answer_are_consecutive_and_of_one_epoch(
    server: Server, trained: tuple[str, int]
) -> None:
    run, length = trained
    data = server.client.get(f"/api/runs/{run}/records").content
    frames = list(read_frames(data, length))
    assert sum(frame.count for frame in frames) == 5001
    assert [frame.first for frame in frames] == [0, *(frame.last + 1 for frame in frames[:-1])]
    assert {(frame.kind, frame.epoch, frame.skipped) for frame in frames} == {(RECORDS, 1, 0)}
    assert [frame.time for frame in frames] == sorted(frame.time for frame in frames)


def test_a_range_that_ends_before_it_begins_is_refused(
    server: Server, trained: tuple[str, int]
) -> None:
    answer = server.client.get(f"/api/runs/{trained[0]}/records", params={"from": 5, "to": 4})
    assert answer.status_code == 422
    assert "received 5" in answer.json()["detail"]


def test_a_range_beyond_the_newest_ends_with_it(server: Server, trained: tuple[str, int]) -> None:
    assert list(stored(server, *trained, 4999, 9_999_999)) == [4999, 5000]


def test_a_viewer_with_credit_gets_two_frames_and_then_the_newest_with_what_it_skipped(
    server: Server,
) -> None:
    run = server.create(pace=None, max_steps=10_000_000)
    with viewing(server, run, "?flow=ack") as viewer:
        server.command(run, "step", count=10_000)
        while len(viewer.frames) < 2:
            viewer.take()
        held = viewer.frames[-1].last
        # states need no credit
        viewer.take_until(lambda m: isinstance(m, dict) and m["step"] == 10_000)
        assert viewer.frames[-1].last == held < 10_000  # nothing more without an acknowledgement
        viewer.socket.send(f'{{"kind": "ack", "step": {held}}}')
        viewer.take_step(10_000)
        newest = viewer.frames[-1]
        assert newest.last == 10_000
        seen = [frame for frame in viewer.frames if frame.kind == RECORDS]
        assert sum(frame.count + frame.skipped for frame in seen) == 10_001
        for before, after in pairwise(seen):
            assert after.first == before.last + 1 + after.skipped
        length = viewer.hello["record_bytes"]
        everything = stored(server, run, length)
        assert all(everything[step] == row for step, row in viewer.records().items())
    server.client.delete(f"/api/runs/{run}")


def test_a_viewer_who_comes_late_gets_the_newest_record_at_once(
    server: Server, trained: tuple[str, int]
) -> None:
    run, length = trained
    with viewing(server, run) as viewer:
        frame = viewer.take_until(lambda m: isinstance(m, Seen))
        assert isinstance(frame, Seen)
        assert (frame.first, frame.count) == (5000, 1)
        assert frame.payload == stored(server, run, length, 5000)[5000]


def test_hello_says_how_to_read_a_record(server: Server, trained: tuple[str, int]) -> None:
    with viewing(server, trained[0]) as viewer:
        hello, columns = viewer.hello, viewer.columns
    assert (hello["version"], hello["dtype"]) == (1, "float32")
    assert hello["run"] == server.get(f"/runs/{trained[0]}")
    sizes = [int(np.prod(column["shape"], dtype=int)) for column in columns]
    assert [column["offset"] for column in columns] == [sum(sizes[:i]) for i in range(len(sizes))]
    assert 4 * sum(sizes) == hello["record_bytes"]
    parameters = [c["name"] for c in columns if c["role"] == "parameter"]
    assert parameters == [c["name"] for c in columns if c["role"] == "gradient"]
    assert {c["slot"] for c in columns if c["role"] == "state"} == {"step", "exp_avg", "exp_avg_sq"}


def test_columns_come_with_a_second_hello_when_a_trainer_was_still_starting(server: Server) -> None:
    run = server.post("/runs", {})["id"]
    with viewing(server, run) as viewer:
        if not viewer.columns:
            assert viewer.hello["record_bytes"] == 0
            viewer.take_until(lambda m: isinstance(m, dict) and m["kind"] == "hello")
        viewer.take_until(lambda m: isinstance(m, Seen))
        assert len(viewer.frames[0].payload) == viewer.hello["record_bytes"] > 0
    server.client.delete(f"/api/runs/{run}")


NAMES = [
    "loss",
    "validation_loss",
    "gradient_norm/hidden_linear.weight",
    "parameter_norm/2.bias",
    "hidden_linear.weight[9,0]",
    "output_linear.weight.grad[0, 3]",
]


def whole_series(server: Server, run: str, length: int, name: str) -> list[float]:
    with viewing(server, run) as viewer:
        columns = viewer.columns
    at = {(c["role"], c["name"]): c for c in columns}
    rows = np.frombuffer(b"".join(stored(server, run, length).values()), np.float32).reshape(
        5001, -1
    )

    def part(role: str, parameter: str) -> Any:
        column = at[role, parameter]
        size = int(np.prod(column["shape"], dtype=int))
        return rows[:, column["offset"] : column["offset"] + size].astype(np.float64)

    chosen: dict[str, Any] = {
        "loss": part("scalar", "loss")[:, 0],
        "validation_loss": part("scalar", "validation_loss")[:, 0],
        "gradient_norm/hidden_linear.weight": np.linalg.norm(
            part("gradient", "hidden_linear.weight"), axis=1
        ),
        "parameter_norm/2.bias": np.linalg.norm(part("parameter", "output_linear.bias"), axis=1),
        "hidden_linear.weight[9,0]": part("parameter", "hidden_linear.weight")[:, 9],
        "output_linear.weight.grad[0, 3]": part("gradient", "output_linear.weight")[:, 3],
    }
    return list(chosen[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("points", [20, 1000, 20_000])
def test_a_series_is_thinned_and_keeps_every_extreme(
    server: Server, trained: tuple[str, int], name: str, points: int
) -> None:
    run, length = trained
    [series] = server.get(f"/runs/{run}/series", params={"name": name, "points": points})["series"]
    whole = np.array(whole_series(server, run, length, name))
    steps, values = series["steps"], np.array([float(value) for value in series["values"]])
    assert steps == sorted(set(steps))
    assert len(steps) <= points * 1.5 + 3
    np.testing.assert_allclose(values, whole[steps], rtol=1e-12)
    assert np.nanmin(values) == pytest.approx(np.nanmin(whole), rel=1e-12)
    assert np.nanmax(values) == pytest.approx(np.nanmax(whole), rel=1e-12)
    assert (steps[0], steps[-1]) == (0, 5000)
    if points >= 5001 * 2:
        assert steps == list(range(5001))
