"""A run's records against everything that is known of it.

The plain reference trains in a process of its own.
"""

import json
import sqlite3
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.faults.reference import Claim, compare, tunings
from tests.faults.report import Report
from tests.faults.watched_run import WatchedRun, payload_of, seen_otherwise, tuned_otherwise
from tests.viewer import read_frames

REFERENCE_SECS = 300.0


class Checks:
    """What was found goes into the report. `datasets` is what GET /api/datasets tells, by name."""

    def __init__(
        self, data: Path, datasets: dict[str, dict[str, Any]], report: Report, pool: Executor
    ) -> None:
        self._data, self._datasets, self._report, self._pool = data, datasets, report, pool
        self._waiting: list[tuple[WatchedRun, Future[str]]] = []

    @property
    def waiting(self) -> int:
        """Return how many runs wait for their reference."""
        return len(self._waiting)

    def check(self, client: httpx.Client, watched: WatchedRun) -> bool:
        """Check a run that trains no more; return False when it cannot be read now."""
        try:
            hello = _hello(client, watched.run)
            if hello["kind"] == "hello" and not hello["record_bytes"]:
                return True  # it never came to its first record
            answer = client.get(f"/api/runs/{watched.run}/records")
            rates = [
                *watched.past,
                (watched.first, watched.rate),
                *tunings(self._data, watched.run),
            ]
        except (httpx.TransportError, OSError, WebSocketException, sqlite3.Error):
            return False
        if not answer.is_success or hello["kind"] != "hello":
            return False
        self._report.runs += 1
        self._compare(watched, answer.content, int(hello["record_bytes"]), hello["columns"], rates)
        return True

    def _compare(
        self,
        watched: WatchedRun,
        content: bytes,
        size: int,
        columns: list[dict[str, Any]],
        rates: list[tuple[int, float]],
    ) -> None:
        try:
            payload = payload_of(watched, list(read_frames(content, size)))
        except ValueError as error:
            self._violate(watched, str(error))
            return
        self._report.steps += len(payload) // size
        found = tuned_otherwise(watched, payload, size)
        if otherwise := seen_otherwise(watched, payload, size):
            found.append(otherwise)
        for text in found:
            self._violate(watched, text)
        dataset = self._datasets[watched.asked.get("dataset", "temperature")]
        claim = Claim(watched.run, watched.asked, dataset, columns, rates, watched.first, payload)
        self._waiting.append((watched, self._pool.submit(compare, claim)))

    def collect(self, wait: bool = False) -> None:
        """Note what the references found that are done; all of them with `wait`."""
        for watched, found in list(self._waiting):
            if wait or found.done():
                self._waiting.remove((watched, found))
                if text := found.result(REFERENCE_SECS):
                    self._violate(watched, text)

    def _violate(self, watched: WatchedRun, text: str) -> None:
        self._report.violate(f"run {watched.run} ({watched.kind}): {text}")


def _hello(client: httpx.Client, run: str) -> dict[str, Any]:
    url = f"{str(client.base_url).rstrip('/').replace('http', 'ws', 1)}/api/runs/{run}/stream"
    with connect(url, max_size=None, compression=None, proxy=None, open_timeout=10) as stream:
        return dict(json.loads(stream.recv(timeout=10)))
