"""Variables that are meant for other programs, or for another meaning.

The server starts, and serves as ever.
"""

from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.running import Server, serving

OTHERS = {
    "WEB_CONCURRENCY=auto": {"WEB_CONCURRENCY": "auto"},
    "WEB_CONCURRENCY=4": {"WEB_CONCURRENCY": "4"},
    "WEB_CONCURRENCY empty": {"WEB_CONCURRENCY": ""},
    "FORWARDED_ALLOW_IPS=*": {"FORWARDED_ALLOW_IPS": "*"},
    "FORWARDED_ALLOW_IPS=nonsense": {"FORWARDED_ALLOW_IPS": "nonsense/99,,"},
    "uvicorn": {
        "UVICORN_PORT": "x",
        "UVICORN_WORKERS": "3",
        "UVICORN_RELOAD": "1",
        "UVICORN_HOST": "0.0.0.0",
    },
    "Kubernetes": {
        "LIVEGRAD_PORT": "tcp://10.0.0.1:8000",
        "LIVEGRAD_PORT_8000_TCP": "tcp://10.0.0.1:8000",
        "LIVEGRAD_SERVICE_HOST": "10.0.0.1",
    },
    "empty": {
        "LIVEGRAD_HOST": "",
        "LIVEGRAD_KEEP": "",
        "LIVEGRAD_MAX_RUNS": " ",
        "LIVEGRAD_TOKEN": "",
    },
    "proxies": {
        "http_proxy": "http://127.0.0.1:9",
        "all_proxy": "http://127.0.0.1:9",
        "no_proxy": "",
    },
}


@pytest.mark.parametrize("variables", OTHERS.values(), ids=OTHERS.keys())
def test_variables_of_others_change_nothing(variables: dict[str, str], tmp_path: Path) -> None:
    with serving(tmp_path, environment=variables) as server:
        run = server.get("/runs")[0]["id"]
        server.wait(run, "paused")
        server.command(run, "step", count=3)
        assert server.get(f"/runs/{run}")["step"] == 3
        assert listeners(server) == {("127.0.0.1", server.port)}
        assert server.stop() == 0
        assert "Traceback" not in server.log_text()


def listeners(server: Server) -> set[tuple[str, int]]:
    """Where it, and every process below it, listens to the network."""
    found = []
    for process in [psutil.Process(server.process.pid), *server.descendants()]:
        with suppress(psutil.NoSuchProcess):  # one that has ended meanwhile does not listen
            found += process.net_connections("inet")
    return {(one.laddr.ip, one.laddr.port) for one in found if one.status == psutil.CONN_LISTEN}


def test_a_kubernetes_address_is_said_to_be_ignored(tmp_path: Path) -> None:
    with serving(tmp_path, environment={"LIVEGRAD_KEEP": "tcp://10.0.0.1:8000"}) as server:
        assert "LIVEGRAD_KEEP=tcp://10.0.0.1:8000 is ignored" in server.log_text()


def test_who_may_speak_for_others_is_not_up_to_a_variable(tmp_path: Path) -> None:
    token = "a-token-that-is-long-enough"
    flags = ("--host", "0.0.0.0", "--token", token)
    with serving(tmp_path, *flags, environment={"FORWARDED_ALLOW_IPS": "*"}) as server:
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(
            base_url=f"http://127.0.0.3:{server.port}", transport=transport
        ) as stranger:
            answers = [
                stranger.get(
                    "/api/runs",
                    headers={"Authorization": "Bearer no", "X-Forwarded-For": f"10.0.0.{n}"},
                ).status_code
                for n in range(40)
            ]
    assert answers[-1] == 429, "each guess came from an address of its own"
