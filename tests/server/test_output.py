"""The program's own output goes nowhere: closed, full, or a pipe that nobody reads. It serves all the same."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest


START_SECS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(port: int, data: Path) -> list[str]:
    return [sys.executable, "-m", "livegrad", "--port", str(port), "--no-browser", "--data", str(data)]


def closing(*descriptors: int) -> Callable[[], None]:
    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    return close


def broken_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


OUTPUTS: dict[str, Callable[[], dict[str, Any]]] = {
    "stdout closed": lambda: {"preexec_fn": closing(1)},
    "stderr closed": lambda: {"preexec_fn": closing(2)},
    "all closed": lambda: {"preexec_fn": closing(0, 1, 2)},
    "stdin closed": lambda: {"preexec_fn": closing(0)},
    "stdout full": lambda: {"stdout": open("/dev/full", "w")},  # noqa: SIM115
    "both full": lambda: {"stdout": open("/dev/full", "w"), "stderr": open("/dev/full", "w")},  # noqa: SIM115
    "both broken": lambda: {"stdout": broken_pipe(), "stderr": broken_pipe()},
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_it_serves_and_ends_in_order_whatever_its_output_is(output: str, tmp_path: Path) -> None:
    port, told = free_port(), tmp_path / "told"
    with told.open("w") as rest:
        streams = {"stdout": rest, "stderr": rest} | OUTPUTS[output]()
        process = subprocess.Popen(command(port, tmp_path / "data"), **streams)
        for name in ("stdout", "stderr"):
            if (stream := streams[name]) is not rest:
                os.close(stream) if isinstance(stream, int) else stream.close()
    try:
        assert answers(port, process), told.read_text()
        run = httpx.get(f"http://127.0.0.1:{port}/api/runs").json()[0]["id"]
        wait_for_step_0(port, run)
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in told.read_text()


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
    while (found := httpx.get(f"http://127.0.0.1:{port}/api/runs/{run}").json())["state"] != "paused":
        assert time.monotonic() < end, found
        time.sleep(0.05)


@pytest.mark.parametrize("output", ["stdout closed", "both full", "both broken", "all closed"])
def test_what_the_operator_must_change_ends_it_with_2_even_unheard(output: str, tmp_path: Path) -> None:
    streams = OUTPUTS[output]()
    process = subprocess.Popen([*command(70000, tmp_path)], **streams)
    assert process.wait(60) == 2


def test_a_console_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    program = (
        "import sys, threading, time, os, signal\n"
        "sys.stdin = sys.stdout = sys.stderr = None\n"  # as pythonw has it
        "from livegrad.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "os._exit(code)\n"
    )
    port = free_port()
    flags = command(port, tmp_path)[3:]
    process = subprocess.Popen([sys.executable, "-c", program, *flags])
    try:
        assert answers(port, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    finally:
        process.kill()
        process.wait()


def test_a_reader_that_leaves_after_the_first_line_ends_nothing(tmp_path: Path) -> None:
    port = free_port()
    process = subprocess.Popen(command(port, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stdout.readline().startswith(b"http://")
        process.stdout.close()
        process.stderr.close()
        assert answers(port, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(40) == 0
    finally:
        process.kill()
        process.wait()


def test_help_may_be_read_in_part() -> None:
    done = subprocess.run([sys.executable, "-m", "livegrad", "--help"], stdout=broken_pipe(), timeout=60)
    assert done.returncode == 0
