"""A run's records against everything that is known of it; the plain twin trains in a process of its own."""

import json
import sqlite3
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.faults.ledger import Ledger
from tests.faults.subject import Subject, payload_of, seen_otherwise, tuned_otherwise
from tests.faults.twin import Claim, compare, tunings
from tests.viewer import read_frames

TWIN_SECS = 300.0


class Checks:
    """What was found goes into the ledger. `datasets` is what GET /api/datasets tells, by name."""

    def __init__(
        self, data: Path, datasets: dict[str, dict[str, Any]], ledger: Ledger, pool: Executor
    ) -> None:
        self._data, self._datasets, self._ledger, self._pool = data, datasets, ledger, pool
        self._waiting: list[tuple[Subject, Future[str]]] = []

    @property
    def waiting(self) -> int:
        """Return how many runs wait for their twin."""
        return len(self._waiting)

    def check(self, client: httpx.Client, subject: Subject) -> bool:
        """Check a run that trains no more; return False when it cannot be read now."""
        try:
            hello = _hello(client, subject.run)
            if hello["kind"] == "hello" and not hello["record_bytes"]:
                return True  # it never came to its first record
            answer = client.get(f"/api/runs/{subject.run}/records")
            rates = [
                *subject.past,
                (subject.first, subject.rate),
                *tunings(self._data, subject.run),
            ]
        except (httpx.TransportError, OSError, WebSocketException, sqlite3.Error):
            return False
        if not answer.is_success or hello["kind"] != "hello":
            return False
        self._ledger.runs += 1
        self._compare(subject, answer.content, int(hello["record_bytes"]), hello["columns"], rates)
        return True

    def _compare(
        self,
        subject: Subject,
        content: bytes,
        size: int,
        columns: list[dict[str, Any]],
        rates: list[tuple[int, float]],
    ) -> None:
        try:
            payload = payload_of(subject, list(read_frames(content, size)))
        except ValueError as error:
            self._violate(subject, str(error))
            return
        self._ledger.steps += len(payload) // size
        found = tuned_otherwise(subject, payload, size)
        if otherwise := seen_otherwise(subject, payload, size):
            found.append(otherwise)
        for text in found:
            self._violate(subject, text)
        dataset = self._datasets[subject.asked.get("dataset", "temperature")]
        claim = Claim(subject.run, subject.asked, dataset, columns, rates, subject.first, payload)
        self._waiting.append((subject, self._pool.submit(compare, claim)))

    def collect(self, wait: bool = False) -> None:
        """Note what the twins found that are done; all of them with `wait`."""
        for subject, found in list(self._waiting):
            if wait or found.done():
                self._waiting.remove((subject, found))
                if text := found.result(TWIN_SECS):
                    self._violate(subject, text)

    def _violate(self, subject: Subject, text: str) -> None:
        self._ledger.violate(f"run {subject.run} ({subject.kind}): {text}")


def _hello(client: httpx.Client, run: str) -> dict[str, Any]:
    url = f"{str(client.base_url).rstrip('/').replace('http', 'ws', 1)}/api/runs/{run}/stream"
    with connect(url, max_size=None, compression=None, proxy=None, open_timeout=10) as stream:
        return dict(json.loads(stream.recv(timeout=10)))
