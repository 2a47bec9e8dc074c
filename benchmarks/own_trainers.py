"""A real server that starts no trainers: it hands each assignment over, to be measured from within.

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
    """The server's other end: asks it for assignments."""

    def __init__(self, url: str, assignments: Connection) -> None:
        self._client = httpx.Client(base_url=url, timeout=START_SECS)
        self._assignments = assignments

    def assignment(self, optimizer: str, steps: int) -> Assignment:
        """Make a run of `steps` at full speed, and return what its trainer is told."""
        config = {"optimizer": {"kind": optimizer}, "max_steps": steps, "pace": None}
        self._client.post("/api/runs", json=config).raise_for_status()
        assignment: Assignment = self._assignments.recv()
        return assignment

    def play(self, assignment: Assignment) -> None:
        """Let the assignment's trainer train, once it stands at its first step."""
        run = assignment.address.url.split("/")[-2]
        self._client.post(f"/api/runs/{run}/commands", json={"kind": "play"}).raise_for_status()

    def close(self) -> None:
        """Hang up."""
        self._client.close()


@contextmanager
def own_trainers(data: Path) -> Iterator[OwnTrainers]:
    """Start such a server with its log in `data`; end it afterwards."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(data, there), daemon=True)
    process.start()
    there.close()  # the server holds the only one: its end, however it comes, ends the waiting here
    try:
        asker = OwnTrainers(here.recv(), here)
        here.recv()  # the default run's: nobody trains it
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

    setattr(app, "Launcher", HandOver)  # noqa: B010  # who starts trainers is all that differs
    chosen = settings.read(["--port", "0", "--no-browser", "--data", str(data)])
    listener = cli.listen(chosen)
    assignments.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
    cli.serve(chosen, listener)
