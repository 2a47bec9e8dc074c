"""The program's own output goes nowhere: closed, full, or a pipe that nobody reads.

It serves all the same.

Covers console.py.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running import free_port

START_SECS = 60.0


def command(port: int, data: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "livegrad",
        "--port",
        str(port),
        "--no-browser",
        "--data",
        str(data),
    ]


def closing(*descriptors: int) -> Callable[[], None]:
    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    return close


def broken_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


OUTPUTS: dict[str, Callable[[], dict[str, Any]]] = {
    "stdout closed": lambda: {"preexec_fn": closing(1)},
    "stderr closed": lambda: {"preexec_fn": closing(2)},
    "all closed": lambda: {"preexec_fn": closing(0, 1, 2)},
    "stdin closed": lambda: {"preexec_fn": closing(0)},
    "stdout full": lambda: {"stdout": full()},
    "both full": lambda: {"stdout": full(), "stderr": full()},
    "both broken": lambda: {"stdout": broken_pipe(), "stderr": broken_pipe()},
}


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_it_serves_and_ends_in_order_whatever_its_output_is(
    output: str, unbuffered: str, tmp_path: Path
) -> None:
    port, told = free_port(), tmp_path / "told"
    with told.open("w") as rest:
        streams = {"stdout": rest.fileno(), "stderr": rest.fileno()} | OUTPUTS[output]()
        own = {"PYTHONUNBUFFERED": unbuffered}
        with started(command(port, tmp_path / "data"), streams, own, kept=rest.fileno()) as process:
            assert answers(port, process), told.read_text()
            run = httpx.get(f"http://127.0.0.1:{port}/api/runs").json()[0]["id"]
            wait_for_step_0(port, run)
            process.send_signal(signal.SIGINT)
            assert process.wait(40) == 0, told.read_text()
    assert "Traceback" not in told.read_text()


@contextmanager
def started(
    words: list[str],
    streams: dict[str, Any],
    environment: dict[str, str] | None = None,
    kept: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program with `streams`; this process lets go of its ends, all but `kept`."""
    process = subprocess.Popen(words, env=os.environ | (environment or {}), **streams)
    for end in {streams.get("stdout"), streams.get("stderr")} - {kept}:
        if isinstance(end, int):
            os.close(end)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + START_SECS
    while time.monotonic() < end and process.poll() is None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/api/health").is_success
        except httpx.TransportError:
            time.sleep(0.05)
    return False


def wait_for_step_0(port: int, run: str) -> None:
    end = time.monotonic() + START_SECS
    while (found := httpx.get(f"http://127.0.0.1:{port}/api/runs/{run}").json())[
        "state"
    ] != "paused":
        assert time.monotonic() < end, found
        time.sleep(0.05)


@pytest.mark.parametrize("output", ["stdout closed", "both full", "both broken", "all closed"])
def test_what_the_operator_must_change_ends_it_with_2_even_unheard(
    output: str, tmp_path: Path
) -> None:
    with started(command(70000, tmp_path), OUTPUTS[output]()) as process:
        assert process.wait(60) == 2


def test_the_server_runs_without_a_console(tmp_path: Path) -> None:
    program = (
        "import sys, threading, time, os, signal\n"
        "sys.stdin = sys.stdout = sys.stderr = None\n"  # as pythonw has it
        "from livegrad.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "os._exit(code)\n"
    )
    port = free_port()
    flags = command(port, tmp_path)[3:]
    with started([sys.executable, "-c", program, *flags], {}) as process:
        assert answers(port, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0


def test_the_server_goes_on_when_the_reader_of_its_output_leaves(tmp_path: Path) -> None:
    port, (stdout, writer), (stderr, other) = free_port(), os.pipe(), os.pipe()
    with started(command(port, tmp_path), {"stdout": writer, "stderr": other}) as process:
        with os.fdopen(stdout) as lines:
            assert lines.readline().startswith("http://")
        os.close(stderr)
        assert answers(port, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0


def test_help_may_be_read_in_part() -> None:
    with started(
        [sys.executable, "-m", "livegrad", "--help"], {"stdout": broken_pipe()}
    ) as process:
        assert process.wait(60) == 0
