"""Whatever asks the program to end.

It ends in good order, says nothing alarming and leaves no process behind.

Covers server.py and signals.py.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.running import Server, serving

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def has_ended(server: Server, children: set[psutil.Process]) -> None:
    assert server.process.wait(40) == 0, server.log_text()
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert "Traceback" not in server.log_text()


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_signal_ends_it_in_good_order_however_often_it_comes(
    number: signal.Signals, times: int, tmp_path: Path
) -> None:
    with serving(tmp_path) as server:
        server.wait(server.get("/runs")[0]["id"], "paused")
        children = server.descendants()
        for _ in range(times):
            server.process.send_signal(number)
            time.sleep(0.05)
        has_ended(server, children)
        assert "livegrad: stopped" in server.log_text()
    with serving(tmp_path) as again:
        assert again.get("/runs")[0]["state"] in ("paused", "interrupted", "starting")


def test_ctrl_c_twice_does_not_wait_for_a_viewer_who_stays(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as server,
        httpx.Client(base_url=server.url) as other,
    ):
        other.get("/api/health")
        children = server.descendants()
        server.process.send_signal(signal.SIGINT)
        server.process.send_signal(signal.SIGINT)
        has_ended(server, children)


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2, 0.4, 0.7])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_ctrl_c_at_any_moment_of_the_start_leaves_no_traceback(
    number: signal.Signals, delay: float, tmp_path: Path
) -> None:
    # From the first line of the program on: what the interpreter does before is out of reach.
    program = (
        "import sys\nfrom livegrad.cli import main\n"
        "print('begun', flush=True)\nsys.exit(main(sys.argv[1:]))"
    )
    flags = ["--port", "0", "--no-browser", "--data", str(tmp_path / "data")]
    with (tmp_path / "told").open("w+") as told:
        process = subprocess.Popen(
            [sys.executable, "-c", f"import livegrad.console, livegrad.signals\n{program}", *flags],
            stdout=subprocess.PIPE,
            stderr=told,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(0.02 + delay)
        process.send_signal(number)
        process.communicate(timeout=60)
        told.seek(0)
        text = told.read()
    assert process.returncode == 0, text
    assert "Traceback" not in text


def test_a_program_started_with_nohup_stays_when_the_terminal_is_closed(tmp_path: Path) -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with serving(tmp_path) as server:
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.5)
            assert server.get("/health")["status"] == "ok"
    finally:
        signal.signal(signal.SIGHUP, former)


CRASHING = """
import asyncio, sys
from livegrad import cli
from livegrad.api import app

original = app.create_app

def create_app(settings, authenticator, port, on_crash):
    made, stop = original(settings, authenticator, port, on_crash)
    async def crashing(scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "/crash":
            on_crash(RuntimeError("nobody expected this"))
        await made(scope, receive, send)
    return crashing, stop

app.create_app = create_app
sys.exit(cli.main(sys.argv[1:]))
"""


def test_an_error_that_nobody_expected_ends_the_server_loudly_with_1(tmp_path: Path) -> None:
    flags = ["--port", "0", "--no-browser", "--data", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-c", CRASHING, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    children = set(psutil.Process(process.pid).children(recursive=True))
    httpx.get(f"{url}crash")
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "RuntimeError: nobody expected this" in told
    assert "start livegrad again" in told
    assert not psutil.wait_procs(children, timeout=10)[1]
