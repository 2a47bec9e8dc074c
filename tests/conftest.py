"""What every test may ask for."""

from collections.abc import Iterator

import pytest

from tests.running import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real server for all tests that do not end it or fill it up; they delete the runs they make."""
    with serving(tmp_path_factory.mktemp("livegrad"), "--max-runs", "32") as running:
        yield running
        assert "Traceback" not in running.log_text(), running.log_text()
