"""Commands in threads of their own: each must be answered in time, by a status that it may have, and consistently."""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

from tests.faults.ledger import Ledger
from tests.faults.subject import Subject, Tuned

ANSWER_SECS = 30.0
AT_ONCE = 6
EXPECTED = {200, 201, 204, 409, 503, 507}
KINDS = ("play", "play", "pause", "step", "phase", "tune", "tune", "tune")


def drawn(subject: Subject, source: random.Random) -> dict[str, Any]:
    """Return a command by chance."""
    kind = source.choice(KINDS)
    if kind == "step":
        return {"kind": kind, "count": source.randint(1, 120)}
    if kind != "tune":
        return {"kind": kind}
    tuned: dict[str, Any] = {"kind": kind}
    if source.random() < 0.85:
        tuned["lr"] = subject.rate * source.uniform(0.5, 1.5)
    if source.random() < 0.3 or "lr" not in tuned:
        tuned["pace"] = source.choice([None, 50, 200, 500])
    return tuned


class Commander:
    """`moment()` returns a number that is another whenever the server was taken down, or may be about to be."""

    def __init__(self, url: str, ledger: Ledger, moment: Callable[[], int]) -> None:
        self._ledger, self._moment = ledger, moment
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
        self, subject: Subject, command: dict[str, Any]
    ) -> Future[httpx.Response | None] | None:
        """Send a command to a run, unless too many are under way.

        Of a run's tunings one at a time, so that their order is known; and one of its other commands, since a play
        would put off the answer to a step.
        """
        tunes = command["kind"] == "tune"
        busy = subject.is_tuning if tunes else subject.is_controlled
        if busy or not self._places.acquire(blocking=False):
            return None
        tuned = Tuned(command["lr"]) if "lr" in command else None
        if tuned is not None:
            subject.tunes.append(tuned)
        self._note(subject, tunes, True)
        return self._pool.submit(self._send, subject, command, tuned)

    @staticmethod
    def _note(subject: Subject, tunes: bool, is_under_way: bool) -> None:
        if tunes:
            subject.is_tuning = is_under_way
        else:
            subject.is_controlled = is_under_way

    def _send(
        self, subject: Subject, command: dict[str, Any], tuned: Tuned | None
    ) -> httpx.Response | None:
        try:
            floor = subject.floor
            answer = self.ask("POST", f"/api/runs/{subject.run}/commands", subject, command)
            if answer is not None and answer.status_code == 200:
                self._check(subject, command, floor, answer.json())
            if tuned is not None and answer is not None:
                tuned.is_refused = answer.status_code == 409
                tuned.step = answer.json()["applied_at_step"] if answer.status_code == 200 else None
            return answer
        finally:
            self._note(subject, command["kind"] == "tune", False)
            self._places.release()

    def ask(
        self, method: str, path: str, subject: Subject | None, body: Any
    ) -> httpx.Response | None:
        """Ask the server; return its answer, or None when the connection was lost. Notes what may not be."""
        before, begun = self._moment(), time.monotonic()
        what = f"{method} {path} {body}"
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.TransportError as error:
            self._ledger.answers["connection lost"] += 1
            time.sleep(0.5)  # whoever kills the server says so before it does
            if self._moment() == before and before % 2 == 0:
                self._ledger.violate(
                    f"{what}: {type(error).__name__} after {time.monotonic() - begun:.1f} s, "
                    "the server was not taken down"
                )
            return None
        self._ledger.answers[str(answer.status_code)] += 1
        secs = time.monotonic() - begun
        if secs > ANSWER_SECS and self._moment() == before:
            self._ledger.violate(f"{what}: answered {answer.status_code} after {secs:.1f} s")
        gone = subject is not None and subject.is_done and answer.status_code == 404
        if answer.status_code not in EXPECTED and not gone:
            self._ledger.violate(f"{what}: answered {answer.status_code}: {answer.text[:300]}")
        return answer

    def _check(self, subject: Subject, command: dict[str, Any], floor: int, answer: Any) -> None:
        applied, step = answer["applied_at_step"], answer["step"]
        what = f"run {subject.run}: {command} sent at step {floor} or later was answered {answer}"
        if applied < floor or step < applied:
            self._ledger.violate(f"{what}: steps go backwards")
        if command["kind"] == "step" and step != min(
            applied + command["count"], subject.asked["max_steps"]
        ):
            self._ledger.violate(f"{what}: not so many steps")
