"""What every test may ask for."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.running import Server, serving

# No deadline: a busy machine is no failure. The same examples each time: a commit that passed
# passes again.
settings.register_profile("livegrad", deadline=None, derandomize=True)
settings.load_profile("livegrad")


# Modules start in this order, the longest first, so that no worker is left with one at the end.
# Playwright's come last: while it runs, no test in the same process can have an event loop of its
# own.
ORDER = (
    "tests/faults/",
    "tests/backend/",
    "tests/contract/",
    "tests/frontend/",
    "tests/server/",
    "tests/test_",
    "tests/browser/",
)

# How coverage.py, where it runs, has the processes measured that a test starts; each looks for it
# in its environment.
MEASURING = "COVERAGE_PROCESS_CONFIG"
measuring = os.environ.get(MEASURING)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--alone",
        choices=("only", "never"),
        help="run only the tests that are marked `alone`, or never these",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests; leave out those marked `long`, unless -m says so, and what --alone
    excludes.
    """
    kept = [item for item in items if is_wanted(config, item)]
    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(config, item)])
    items[:] = sorted(kept, key=place)


def is_wanted(config: pytest.Config, item: pytest.Item) -> bool:
    is_alone = item.get_closest_marker("alone") is not None
    if {"only": not is_alone, "never": is_alone}.get(config.getoption("--alone"), False):
        return False
    return "long" in str(config.getoption("-m")) or item.get_closest_marker("long") is None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have processes measured that tests/backend starts.

    Others, real servers, run at their own speed.
    """
    if measuring is not None and item.nodeid.startswith("tests/backend/"):
        os.environ[MEASURING] = measuring
    else:
        os.environ.pop(MEASURING, None)


def place(item: pytest.Item) -> int:
    return next((i for i, start in enumerate(ORDER) if item.nodeid.startswith(start)), len(ORDER))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real server for all tests that do not end it or fill it up."""
    with serving(tmp_path_factory.mktemp("livegrad"), "--max-runs", "32") as running:
        yield running
        assert "Traceback" not in running.log_text(), running.log_text()


@pytest.fixture(autouse=True)
def no_run_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Delete what a test made on the common server.

    Its trainers would take the next tests' time and places.
    """
    if "server" not in request.fixturenames:
        yield
        return
    common = request.getfixturevalue("server")
    before = {run["id"] for run in common.get("/runs")} if isinstance(common, Server) else set()
    yield
    if isinstance(common, Server) and common.process.poll() is None:
        for run in {run["id"] for run in common.get("/runs")} - before:
            common.client.delete(f"/api/runs/{run}")
