"""What every test may ask for."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.running import Server, serving

# No deadline: a busy machine is no failure. The same examples each time: a commit that passed passes again.
settings.register_profile("livegrad", deadline=None, derandomize=True)
settings.load_profile("livegrad")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes many minutes, unless it is asked for by its marker: -m long."""
    if "long" not in str(config.getoption("-m")):
        config.hook.pytest_deselected(
            items=[item for item in items if item.get_closest_marker("long")]
        )
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real server for all tests that do not end it or fill it up."""
    with serving(tmp_path_factory.mktemp("livegrad"), "--max-runs", "32") as running:
        yield running
        assert "Traceback" not in running.log_text(), running.log_text()


@pytest.fixture(autouse=True)
def no_run_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Delete what a test made on the common server: its trainers would take the next tests' time and places."""
    if "server" not in request.fixturenames:
        yield
        return
    common = request.getfixturevalue("server")
    before = {run["id"] for run in common.get("/runs")} if isinstance(common, Server) else set()
    yield
    if isinstance(common, Server) and common.process.poll() is None:
        for run in {run["id"] for run in common.get("/runs")} - before:
            common.client.delete(f"/api/runs/{run}")
