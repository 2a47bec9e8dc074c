"""A small budget, a real server.

What is thinned is said, what is kept is exact, deleted runs free their space.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.running import Server, serving
from tests.viewer import stored, viewing

STEPS = 30_000


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("small"), "--keep", "1.5MB") as running:
        yield running
        assert "Traceback" not in running.log_text(), running.log_text()


@pytest.fixture(scope="module")
def run(small: Server) -> Iterator[str]:
    made = small.create(pace=None, max_steps=10**6, seed=3)
    for _ in range(STEPS // 10_000):
        small.command(made, "step", count=10_000)
    wait(lambda: size(small) <= 1_500_000 and len(small.get(f"/runs/{made}/kept")["exact"]) == 1)
    yield made
    assert small.client.delete(f"/api/runs/{made}").status_code == 204
    wait(lambda: size(small) < 400_000)


def wait(met: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.05)


def size(server: Server) -> int:
    return (server.data / "livegrad.sqlite3").stat().st_size


def thinned_step(kept: dict[str, Any]) -> int:
    [(first, _)] = kept["exact"]
    return next(
        s for s in range(first // 2, first) if s % kept["every"] and s not in kept["single"]
    )


def test_a_thinned_step_is_gone_and_the_nearest_kept_are_named(small: Server, run: str) -> None:
    kept = small.get(f"/runs/{run}/kept")
    step = thinned_step(kept)
    below, above = step // 256 * 256, step // 256 * 256 + 256
    for answer in (
        small.client.get(f"/api/runs/{run}/parameters", params={"step": step}),
        small.client.get(f"/api/runs/{run}/parameters/output_linear.bias", params={"step": step}),
        small.client.post(f"/api/runs/{run}/branches", json={"step": step}),
    ):
        assert answer.status_code == 410
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["nearest"][0] < step < problem["nearest"][1]
        assert below <= problem["nearest"][0]
        assert problem["nearest"][1] <= above
        assert f"step {step} was thinned out" in problem["detail"]
        near = problem["nearest"][0]
        assert small.get(f"/runs/{run}/parameters", params={"step": near})["step"] == near


def test_records_give_what_is_kept_and_kept_tells_which(small: Server, run: str) -> None:
    kept = small.get(f"/runs/{run}/kept")
    assert (kept["from"], kept["to"], kept["every"]) == (0, STEPS, 256)
    [(first, last)] = kept["exact"]
    assert last == STEPS
    assert last - first >= 1024
    with viewing(small, run) as viewer:
        found = stored(small, run, viewer.hello["record_bytes"])
    expected = {*range(0, first, 256), *kept["single"], *range(first, STEPS + 1)}
    assert set(found) == expected


def test_what_is_kept_was_not_changed(small: Server, run: str) -> None:
    # The same training again, in a run of its own: short, so that all of it is there.
    again = small.create(pace=None, max_steps=10**6, seed=3)
    small.command(again, "step", count=1100)
    with viewing(small, run) as one, viewing(small, again) as two:
        old = stored(small, run, one.hello["record_bytes"], 0, 1100)
        new = stored(small, again, two.hello["record_bytes"], 0, 1100)
    assert {0, 256, 512, 768, 1024} <= set(old)
    assert all(new[step] == record for step, record in old.items())
    parted = small.get(f"/runs/{run}/divergence", params={"other": again})
    assert (parted["comparable"], parted["step"]) == (True, None)
    assert small.client.delete(f"/api/runs/{again}").status_code == 204


def test_series_keep_the_extremes_of_what_was_thinned(small: Server, run: str) -> None:
    kept = small.get(f"/runs/{run}/kept")
    [whole] = small.get(f"/runs/{run}/series", params={"name": "loss", "points": 200})["series"]
    assert max(step for step in whole["steps"]) == STEPS
    step = thinned_step(kept)
    block = step // 256 * 256
    [part] = small.get(
        f"/runs/{run}/series", params={"name": "lr", "from": block + 1, "to": block + 255}
    )["series"]
    assert block + 255 in part["steps"]


def test_a_thinned_run_goes_on_and_is_branched_from_a_kept_step(small: Server, run: str) -> None:
    child = small.post(f"/runs/{run}/branches", {"step": 512})["id"]
    small.wait(child, "paused")
    small.command(child, "step", count=20)
    assert small.get(f"/runs/{child}/kept")["exact"] == [[512, 532]]
    assert small.client.delete(f"/api/runs/{child}").status_code == 204
