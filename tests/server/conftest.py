"""Servers that several modules ask, each module one of its own."""

from collections.abc import Iterator

import httpx
import pytest

from tests.running import Server, serving

TOKEN = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def token_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a token, listening on every address, behind a proxy as well."""
    flags = ("--host", "0.0.0.0", "--token", TOKEN)
    names = {"LIVEGRAD_ALLOW_HOST": "lab.example,lab.example:81,https://shared.example"}
    with serving(tmp_path_factory.mktemp("token_server"), *flags, environment=names) as running:
        yield running


@pytest.fixture(scope="module")
def anonymous(token_server: Server) -> Iterator[httpx.Client]:
    """A client that has not shown the token."""
    with httpx.Client(base_url=token_server.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one run, at step 0: the default one."""
    with serving(tmp_path_factory.mktemp("module_server")) as running:
        running.wait(running.get("/runs")[0]["id"], "paused")
        yield running
