"""Measures how soon the page answers, and that the server does not load torch."""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from statistics import median

import psutil

from benchmarks.sampling import Effort
from benchmarks.table import Row

SUBJECT = "startup"
REACH_SECS = 1.0
REPETITIONS = 9
LOOK_SECS, GIVE_UP_SECS = 0.005, 30.0


def rows(effort: Effort) -> Iterator[Row]:
    """Start servers one after the other, each with an empty data folder."""
    samples, torch_files = [], 0
    for _ in range(effort.times(REPETITIONS)):
        seconds, found = _one()
        samples.append(seconds)
        torch_files = max(torch_files, found)
    note = f"{min(samples):.2f} to {max(samples):.2f} s, {len(samples)} times"
    yield Row(
        SUBJECT,
        "`livegrad` typed to the page's answer",
        median(samples),
        "s",
        REACH_SECS,
        note=note,
    )
    yield Row(SUBJECT, "torch's libraries in the server's process", torch_files, "files", 0)


def _one() -> tuple[float, int]:
    """Return the time, and how many of torch's libraries the server has mapped."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "livegrad",
            "--port",
            str(port),
            "--no-browser",
            "--data",
            folder,
        ]
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for_page(port)
            return time.perf_counter() - begun, _torch_files(process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(GIVE_UP_SECS)


def _wait_for_page(port: int) -> None:
    end = time.monotonic() + GIVE_UP_SECS
    while not _answers(port):
        assert time.monotonic() < end, f"no page within {GIVE_UP_SECS:.0f} s"
        time.sleep(LOOK_SECS)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_SECS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _torch_files(pid: int) -> int:
    return sum("torch" in mapped.path for mapped in psutil.Process(pid).memory_maps())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
