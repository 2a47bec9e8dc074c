"""The command line, as a newcomer and an operator meet it: real processes on real ports."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.running import serving

TOKEN = "a-token-that-is-long-enough"


def livegrad(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "livegrad", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "livegrad", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    """End it with Ctrl-C; return its exit code, and what it wrote to stderr."""
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_the_first_line_is_an_address_that_answers(tmp_path: Path) -> None:
    process = start(
        "serve", "--port", "0", "--no-browser", "--data", str(tmp_path / "not" / "there" / "yet")
    )
    address = first_line(process)
    assert address.startswith("http://127.0.0.1:")
    assert httpx.get(address).status_code == 200
    assert httpx.get(address + "api/health").json()["status"] == "ok"
    code, errors = end(process)
    assert code == 0
    assert "Traceback" not in errors
    assert (tmp_path / "not" / "there" / "yet" / "livegrad.sqlite3").is_file()


def test_a_busy_default_port_gives_way_to_the_next_free_one_said_plainly(tmp_path: Path) -> None:
    with closing(socket.socket()) as occupant:
        with suppress(OSError):  # somebody else has it: as good
            occupant.bind(("127.0.0.1", 8000))
            occupant.listen()
        process = start("--no-browser", "--data", str(tmp_path))
        port = int(first_line(process).rstrip("/").rpartition(":")[2])
        code, errors = end(process)
    assert 8000 < port < 8050
    assert f"port 8000 is busy; using {port}" in errors
    assert code == 0


def test_a_busy_port_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    with closing(socket.socket()) as occupant:
        occupant.bind(("127.0.0.1", 0))
        occupant.listen()
        port = str(occupant.getsockname()[1])
        done = livegrad("--port", port, "--no-browser", "--data", str(tmp_path))
        by_variable = livegrad("--no-browser", "--data", str(tmp_path), LIVEGRAD_PORT=port)
    for refused in (done, by_variable):
        assert refused.returncode == 2
        assert f"port {port}" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert refused.stdout == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_a_host_beyond_loopback_without_a_token_is_refused_and_told_how_to_make_one(
    tmp_path: Path, host: str
) -> None:
    done = livegrad("--host", host, "--port", "0", "--no-browser", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "needs a token" in done.stderr
    assert "secrets.token_urlsafe()" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "70000"),
        (["--port", "http"], "'http'"),
        (["--max-runs", "0"], "--max-runs"),
        (["--token", "short"], "at least 16"),
        (["--host", "192.0.2.1", "--token", TOKEN], "192.0.2.1"),
        (["--data", "/dev/null/x"], "/dev/null/x"),
        (["train"], "train"),
        (["--speed"], "--speed"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_what_the_operator_must_change_is_said_in_words_with_exit_2(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    given = arguments if "--data" in arguments else ["--data", str(tmp_path), *arguments]
    done = livegrad("--no-browser", *given)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_every_flag_has_an_environment_variable(tmp_path: Path) -> None:
    process = start(
        LIVEGRAD_HOST="localhost",
        LIVEGRAD_PORT="0",
        LIVEGRAD_DATA=str(tmp_path / "data"),
        LIVEGRAD_NO_BROWSER="1",
        LIVEGRAD_TOKEN=TOKEN,
        LIVEGRAD_MAX_RUNS="1",
        LIVEGRAD_ALLOW_HOST="dashboard.example",
    )
    address = first_line(process)
    assert address.startswith("http://localhost:")
    root = address[: address.index("/", len("http://")) + 1]
    port = root.rstrip("/").rpartition(":")[2]
    assert httpx.get(root + "api/runs").status_code == 401
    as_friend = {"Authorization": f"Bearer {TOKEN}", "Host": f"dashboard.example:{port}"}
    assert httpx.get(root + "api/runs", headers=as_friend).status_code == 200
    refused = httpx.post(root + "api/runs", json={}, headers=as_friend)
    assert refused.status_code == 409  # the default run is the one that may be
    code, errors = end(process)
    assert code == 0
    assert TOKEN not in errors
    assert (tmp_path / "data" / "livegrad.sqlite3").is_file()


@pytest.mark.slow
def test_an_empty_data_folder_gets_the_default_run_and_a_used_one_does_not(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        [default] = first.get("/runs")
        found = first.wait(default["id"], "paused")
        assert (found["name"], found["step"]) == ("temperature", 0)
        assert (
            found["config"]["optimizer"] == first.get(f"/runs/{found['id']}")["config"]["optimizer"]
        )
        assert found["config"]["hidden"] == 13
        first.stop()
    with serving(tmp_path) as second:
        assert [run["id"] for run in second.get("/runs")] == [default["id"]]


@pytest.mark.slow
def test_ctrl_c_at_full_speed_ends_everything_with_exit_0(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        runs = [server.create(pace=None, max_steps=10_000_000) for _ in range(2)]
        for run in runs:
            server.command(run, "play")
        children = server.descendants()
        assert len(children) >= 3
        assert server.stop() == 0
        assert not psutil.wait_procs(children, timeout=10)[1]
        assert "Traceback" not in server.log_text()


@pytest.mark.slow
def test_ctrl_c_while_torch_still_loads_ends_at_once(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.get("/health")["torch"] == "loading"
        children = server.descendants()
        assert server.stop() == 0
        assert not psutil.wait_procs(children, timeout=20)[1]
        assert "Traceback" not in server.log_text()


def test_version_and_help_say_what_there_is() -> None:
    assert livegrad("--version").stdout.startswith("livegrad ")
    text = livegrad("--help").stdout
    for flag in ("--host", "--port", "--data", "--no-browser", "--token", "LIVEGRAD_"):
        assert flag in text
