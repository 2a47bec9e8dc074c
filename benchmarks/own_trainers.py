"""Runs a real server that hands its trainers' assignments over to the caller.

Knows nothing of what is measured.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from livegrad.assignment import Assignment

START_SECS = 60.0


class OwnTrainers:
    """The client of that server: requests assignments."""

    def __init__(self, url: str, assignments: Connection) -> None:
        self._client = httpx.Client(base_url=url, timeout=START_SECS)
        self._assignments = assignments

    def assignment(self, optimizer: str, steps: int) -> Assignment:
        """Make a run of `steps` at full speed, and return its trainer's assignment."""
        config = {"optimizer": {"kind": optimizer}, "max_steps": steps, "pace": None}
        self._client.post("/api/runs", json=config).raise_for_status()
        assignment: Assignment = self._assignments.recv()
        return assignment

    def play(self, assignment: Assignment) -> None:
        """Let the assignment's trainer train once it is at its first step."""
        run = assignment.address.url.split("/")[-2]
        self._client.post(f"/api/runs/{run}/commands", json={"kind": "play"}).raise_for_status()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


@contextmanager
def own_trainers(data: Path) -> Iterator[OwnTrainers]:
    """Start such a server with its log in `data`; end it afterwards."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(data, there), daemon=True)
    process.start()
    # now only the server holds the other end, so its end, however it comes, ends the wait here
    there.close()
    try:
        asker = OwnTrainers(here.recv(), here)
        here.recv()  # the assignment of the default run, which nobody trains
        yield asker
        asker.close()
    finally:
        process.terminate()
        process.join(START_SECS)


def _serve(data: Path, assignments: Connection) -> None:
    from livegrad import cli, settings
    from livegrad.api import app
    from livegrad.runs.launcher import Ended, Launcher

    class HandOver(Launcher):
        async def warm_up(self) -> None:
            self.is_warm = True

        async def start(self, run: str, assignment: Assignment, on_end: Ended) -> None:
            assignments.send(assignment)

    setattr(app, "Launcher", HandOver)  # noqa: B010  # only the launcher of trainers differs
    chosen = settings.read(["--port", "0", "--no-browser", "--data", str(data)])
    listener = cli.listen(chosen)
    assignments.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
    cli.serve(chosen, listener)
