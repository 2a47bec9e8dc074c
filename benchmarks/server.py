"""Starts the measured server: a real one, with an empty run log, on loopback."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.running import Server, serving

FOREVER = 10_000_000  # steps, so many that no run ends while it is measured


@contextmanager
def server() -> Iterator[Server]:
    """Start a server, wait until torch is loaded, and end it afterwards."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as running:
        for run in running.get("/runs"):
            running.wait(run["id"], "paused")
        yield running


def training(running: Server, optimizer: str = "sgd", pace: float | None = None) -> str:
    """Make a run that trains at `pace`, or at full speed; return its id."""
    run = running.create(optimizer={"kind": optimizer}, pace=pace, max_steps=FOREVER)
    running.command(run, "play")
    return run


def process_of(running: Server) -> psutil.Process:
    """Return the server's own process."""
    return psutil.Process(running.process.pid)


def newest_trainer(running: Server) -> psutil.Process:
    """Return the process that trains the newest run."""
    return max(running.descendants(), key=lambda process: process.create_time())
