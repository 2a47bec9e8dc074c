"""Commands in threads of their own.

Each must be answered in time, by a status that it may have, and consistently.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

from tests.faults.report import Report
from tests.faults.watched_run import Tuned, WatchedRun

ANSWER_SECS = 30.0
AT_ONCE = 6
EXPECTED = {200, 201, 204, 409, 503, 507}
KINDS = ("play", "play", "pause", "step", "phase", "tune", "tune", "tune")


def drawn(watched: WatchedRun, source: random.Random) -> dict[str, Any]:
    """Return a command by chance."""
    kind = source.choice(KINDS)
    if kind == "step":
        return {"kind": kind, "count": source.randint(1, 120)}
    if kind != "tune":
        return {"kind": kind}
    tuned: dict[str, Any] = {"kind": kind}
    if source.random() < 0.85:
        tuned["lr"] = watched.rate * source.uniform(0.5, 1.5)
    if source.random() < 0.3 or "lr" not in tuned:
        tuned["pace"] = source.choice([None, 50, 200, 500])
    return tuned


class CommandSender:
    """`moment()` returns a number that is another whenever the server was taken down, or may be
    about to be.
    """

    def __init__(self, url: str, report: Report, moment: Callable[[], int]) -> None:
        self._report, self._moment = report, moment
        # a server that was killed leaves none to reuse
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=url, timeout=ANSWER_SECS + 10, limits=limits)
        self._pool = ThreadPoolExecutor(AT_ONCE, "command")
        self._places = threading.Semaphore(AT_ONCE)

    def close(self) -> None:
        """Wait until every command is answered; at most as long as one may take."""
        self._pool.shutdown()
        self._client.close()

    def send(
        self, watched: WatchedRun, command: dict[str, Any]
    ) -> Future[httpx.Response | None] | None:
        """Send a command to a run, unless too many are under way.

        Of a run's tunings one at a time, so that their order is known; and one of its other
        commands, since a play would put off the answer to a step.
        """
        tunes = command["kind"] == "tune"
        busy = watched.is_tuning if tunes else watched.is_controlled
        if busy or not self._places.acquire(blocking=False):
            return None
        tuned = Tuned(command["lr"]) if "lr" in command else None
        if tuned is not None:
            watched.tunes.append(tuned)
        self._note(watched, tunes, True)
        return self._pool.submit(self._send, watched, command, tuned)

    @staticmethod
    def _note(watched: WatchedRun, tunes: bool, is_under_way: bool) -> None:
        if tunes:
            watched.is_tuning = is_under_way
        else:
            watched.is_controlled = is_under_way

    def _send(
        self, watched: WatchedRun, command: dict[str, Any], tuned: Tuned | None
    ) -> httpx.Response | None:
        try:
            floor = watched.floor
            answer = self.ask("POST", f"/api/runs/{watched.run}/commands", watched, command)
            if answer is not None and answer.status_code == 200:
                self._check(watched, command, floor, answer.json())
            if tuned is not None and answer is not None:
                tuned.is_refused = answer.status_code == 409
                tuned.step = answer.json()["applied_at_step"] if answer.status_code == 200 else None
            return answer
        finally:
            self._note(watched, command["kind"] == "tune", False)
            self._places.release()

    def ask(
        self, method: str, path: str, watched: WatchedRun | None, body: Any
    ) -> httpx.Response | None:
        """Ask the server; return its answer, or None when the connection was lost.

        Notes what may not be.
        """
        before, begun = self._moment(), time.monotonic()
        what = f"{method} {path} {body}"
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.TransportError as error:
            self._report.answers["connection lost"] += 1
            time.sleep(0.5)  # whoever kills the server says so before it does
            if self._moment() == before and before % 2 == 0:
                self._report.violate(
                    f"{what}: {type(error).__name__} after {time.monotonic() - begun:.1f} s, "
                    "the server was not taken down"
                )
            return None
        self._report.answers[str(answer.status_code)] += 1
        secs = time.monotonic() - begun
        if secs > ANSWER_SECS and self._moment() == before:
            self._report.violate(f"{what}: answered {answer.status_code} after {secs:.1f} s")
        gone = watched is not None and watched.is_done and answer.status_code == 404
        if answer.status_code not in EXPECTED and not gone:
            self._report.violate(f"{what}: answered {answer.status_code}: {answer.text[:300]}")
        return answer

    def _check(self, watched: WatchedRun, command: dict[str, Any], floor: int, answer: Any) -> None:
        applied, step = answer["applied_at_step"], answer["step"]
        what = f"run {watched.run}: {command} sent at step {floor} or later was answered {answer}"
        if applied < floor or step < applied:
            self._report.violate(f"{what}: steps go backwards")
        if command["kind"] == "step" and step != min(
            applied + command["count"], watched.asked["max_steps"]
        ):
            self._report.violate(f"{what}: not so many steps")
