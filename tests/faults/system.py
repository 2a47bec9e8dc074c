"""One server and several runs.

Taken down, brought up again, looked after between faults, and checked at the end.
"""

import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx

from tests.faults.checks import Checks
from tests.faults.clock import Clock
from tests.faults.command_sender import CommandSender
from tests.faults.lasting_faults import LastingFaults, SmallDisk
from tests.faults.processes import ServerProcesses, is_alive, send
from tests.faults.reference import load
from tests.faults.report import Report
from tests.faults.viewers import BEHAVIOURS, Viewers
from tests.faults.watched_run import OPTIMIZERS, WatchedRun, asked_for
from tests.running import Server, free_port, serving

READY_SECS = 60.0
HUNG_SECS = 30.0
END_SECS = 30.0
STEPS_PER_SEC = 500  # of all runs, on average: what a plain reference goes over again in good time
MAX_RUNS = 14
MAX_LOSSES = 50
LIVE = {"starting", "paused", "running"}


class System:
    """`server` is the one that runs now. Its methods belong to one thread."""

    def __init__(self, folder: Path, seed: int, report: Report) -> None:
        self.report, self.source = report, random.Random(seed)
        self.data = folder / "data"
        self.temporary = Path(tempfile.mkdtemp(prefix="lgf"))  # short: sockets are made in it
        self.moment = 0  # odd while the server is being taken down and brought up
        self.watched_runs: list[WatchedRun] = []
        self.deleted: set[str] = set()  # answered with 204
        self.frozen: list[tuple[int, float]] = []  # (pid, when to thaw it): beyond its replacement
        self.port = free_port()
        self.clock_secs = 0.0
        self.losses = 0  # how often the server was found hung or gone
        self.lasting = LastingFaults()
        self._stack = ExitStack()
        self._server_stack = ExitStack()
        self.processes = ServerProcesses(f"{self.temporary.name}-{seed}")
        self._open(folder)

    def _open(self, folder: Path) -> None:
        stack = self._stack
        stack.callback(shutil.rmtree, self.temporary, ignore_errors=True)
        self.clock = Clock(folder)
        self.disk = SmallDisk(self.data)
        stack.callback(self.disk.close)
        stack.callback(self.processes.kill_all)
        stack.callback(self._end_server)
        self.server = self._start()
        self.client = httpx.Client(
            base_url=self.server.url,
            timeout=HUNG_SECS,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        stack.callback(self.client.close)
        self.datasets = {d["name"]: d for d in self.client.get("/api/datasets").json()}
        self.viewers = Viewers(self.port, self.report)
        stack.callback(self.viewers.close)
        self.sender = CommandSender(self.server.url, self.report, lambda: self.moment)
        stack.callback(self.sender.close)
        pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=load)
        stack.enter_context(pool)
        pool.submit(int)  # so that it loads torch while the server does
        self.checks = Checks(self.data, self.datasets, self.report, pool)
        for run in self.client.get("/api/runs").json():  # the default run
            self.delete(run["id"])
        for kind in OPTIMIZERS:
            self.add(kind)

    def close(self) -> None:
        """End everything that was started."""
        for watched in self.watched_runs:
            watched.is_done = True
        self.lasting.lift()
        self._stack.close()

    # -- the server

    def _start(self) -> Server:
        late = threading.Timer(
            READY_SECS, self.processes.kill_all
        )  # one that says nothing is waited for no longer
        late.start()
        environment = (
            self.processes.environment()
            | self.clock.environment()
            | {"TMPDIR": str(self.temporary)}
        )
        flags = ("--max-runs", str(MAX_RUNS))
        try:
            return self._server_stack.enter_context(
                serving(self.data, *flags, port=self.port, environment=environment)
            )
        finally:
            late.cancel()

    def take_down(self) -> None:
        """Say that the server is about to be taken down: from now on commands may be lost."""
        self.moment += 1

    def bring_up(self, begun: float, kind: str) -> None:
        """Start the server again, whatever is left of it.

        Measure from `begun` until every run is settled.
        """
        self._end_server()
        for tries in range(3):
            try:
                self.server = self._start()
                break
            except AssertionError as error:
                self.report.violate(f"the server does not start: {str(error)[-300:]}")
                self.processes.kill_all()
                time.sleep(tries)
        self.moment += 1
        self.wait_ready(begun, kind)

    def _end_server(self) -> None:
        # By the kind's own way if that was enough, otherwise for good.
        self.lasting.lift()
        if hasattr(self, "server"):
            process = self.server.process
            if process.poll() is None:
                send(process.pid, signal.SIGCONT)
                process.kill()
                process.wait()
            self.report.note_stderr(self.server.log_text())
        self._server_stack.close()
        self._server_stack = ExitStack()

    def wait_end(self, begun: float, expected: int | None) -> None:
        """Wait until the server has ended by itself.

        Note when it does not, or by another exit code.
        """
        process = self.server.process
        try:
            code = process.wait(END_SECS)
        except subprocess.TimeoutExpired:
            self.report.violate(
                f"the server has not ended {time.monotonic() - begun:.0f} s after the signal"
            )
            return
        if expected is not None and code != expected:
            self.report.violate(f"the server ended with exit code {code}, expected {expected}")

    def wait_ready(self, begun: float, kind: str) -> None:
        """Wait until no run is starting and every running one has a trainer.

        Note how long it took since `begun`.
        """
        end = begun + READY_SECS
        while time.monotonic() < end:
            runs = self.runs()
            states = [run["state"] for run in runs or []]
            live = sum(state in LIVE for state in states)
            if runs is not None and "starting" not in states and len(self.trainers()) >= live:
                self.report.ready_secs[kind].append(time.monotonic() - begun)
                return
            time.sleep(0.05)
        self.report.violate(f"not ready again {READY_SECS:.0f} s after {kind}: {self._states()}")

    def _states(self) -> str:
        runs = self.runs() or []
        return ", ".join(
            f"{r['id']} {r['state']} {r['step']} ({r['reason']})"
            for r in runs
            if r["state"] in LIVE
        )

    def trainers(self) -> list[int]:
        """Return the trainers that are connected, but for those that are frozen to be replaced."""
        frozen = {pid for pid, _ in self.frozen}
        return [
            pid
            for pid in self.processes.trainers(self.port, self.server.process.pid)
            if pid not in frozen
        ]

    def starters(self) -> list[int]:
        """Return the processes that start trainers."""
        return self.processes.starters(self.port, self.server.process.pid)

    # -- asking it

    def runs(self) -> list[dict[str, Any]] | None:
        """Return all runs; None when the server does not answer at the moment."""
        answer = self.ask("GET", "/api/runs")
        return None if answer is None or not answer.is_success else list(answer.json())

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response | None:
        """Ask the server from this thread. One that is hung or gone is noted, and started again."""
        begun = time.monotonic()
        try:
            return self.client.request(method, path, json=body)
        except httpx.TransportError as error:
            if self.moment % 2 == 0:
                self._find_out(error, begun)
            return None

    def _find_out(self, error: httpx.TransportError, begun: float) -> None:
        code = self.server.process.poll()
        if code is None and not isinstance(error, httpx.TimeoutException):
            return
        state = "hung" if code is None else f"gone with exit code {code}"
        self.report.violate(
            f"the server is {state}: {type(error).__name__} after {time.monotonic() - begun:.0f} s"
        )
        self.losses += 1
        assert self.losses <= MAX_LOSSES, (
            f"the server is {state} again and again: {self.report.table()}"
        )
        self.take_down()
        self.processes.kill_all()
        self.bring_up(time.monotonic(), f"server {state}")

    # -- runs

    def add(self, kind: str) -> None:
        """Make a run of this kind with its viewers.

        Fast ones as long as the budget of steps allows.
        """
        live = sum(watched.asked["pace"] is None for watched in self.watched_runs)
        steps = self.report.steps + sum(watched.floor for watched in self.watched_runs)
        is_fast = live < 2 and steps <= STEPS_PER_SEC * (self.report.secs + 10)
        asked = asked_for(kind, is_fast, self.source)
        answer = self.ask("POST", "/api/runs", asked)
        if answer is not None and answer.status_code == 201:
            self.attend(WatchedRun(answer.json()["id"], kind, asked))
        elif answer is not None and answer.status_code not in (409, 503, 507):
            self.report.violate(
                f"POST /api/runs: answered {answer.status_code}: {answer.text[:300]}"
            )

    def attend(self, watched: WatchedRun) -> None:
        """Look after a run from now on: viewers, play, and its check once it is finished."""
        self.watched_runs.append(watched)
        for behaviour in ("plain", self.source.choice(BEHAVIOURS[1:])):
            self.viewers.watch(watched, behaviour)
        self.sender.send(watched, {"kind": "play"})

    def delete(self, run: str) -> None:
        """Delete a run; one that was answered with 204 must never be seen again."""
        answer = self.ask("DELETE", f"/api/runs/{run}")
        if answer is not None and answer.status_code == 204:
            self.deleted.add(run)

    def tend(self) -> None:
        """Look at every run: finished ones are checked and replaced, idle ones are played."""
        self._thaw()
        runs = self.runs()
        if runs is None:
            return
        found = {run["id"]: run for run in runs}
        for back in self.deleted & found.keys():
            self.report.violate(f"run {back} was deleted, and is there again")
            self.deleted.discard(back)
        for watched in list(self.watched_runs):
            self._tend_one(watched, found.get(watched.run))
        self._remove_strangers(found.keys() - self.deleted)
        self.checks.collect()
        missing = [
            kind
            for kind in OPTIMIZERS
            if kind not in {watched.kind for watched in self.watched_runs}
        ]
        for kind in missing:
            if self.checks.waiting < 4:
                self.add(kind)

    def _tend_one(self, watched: WatchedRun, run: dict[str, Any] | None) -> None:
        if run is None:
            self.report.violate(f"run {watched.run} was answered with 201, and is gone")
            self._let_go(watched)
            return
        if run["state"] == "failed" and not watched.is_failed:
            watched.is_failed = True
            self.report.violate(f"run {watched.run} ({watched.kind}) is failed: {run['reason']}")
        if run["state"] in ("failed", "finished"):
            if self.checks.check(self.client, watched):
                self._let_go(watched)
                self.delete(watched.run)
        elif run["state"] == "interrupted" or (
            run["state"] == "paused" and self.source.random() < 0.5
        ):
            self.sender.send(watched, {"kind": "play"})

    def _let_go(self, watched: WatchedRun) -> None:
        watched.is_done = True
        self.watched_runs.remove(watched)

    def _remove_strangers(self, there: set[str]) -> None:
        # Made by a request whose answer was lost, or whose deletion was.
        known = {watched.run for watched in self.watched_runs}
        for run in there - known:
            self.delete(run)

    def _thaw(self, everything: bool = False) -> None:
        for pid, due in list(self.frozen):
            if everything or time.monotonic() >= due:
                send(pid, signal.SIGCONT)
                self.frozen.remove((pid, due))

    # -- the end

    def finish(self) -> None:
        """Let every run go on once more, then check everything that is stored."""
        self.lasting.lift()
        self._thaw(everything=True)
        self.wait_ready(time.monotonic(), "the end")
        self.tend()
        self._play_all()
        for watched in self.watched_runs:
            answer = self.ask("POST", f"/api/runs/{watched.run}/commands", {"kind": "pause"})
            if answer is not None and answer.status_code not in (200, 409):
                self.report.violate(
                    f"run {watched.run} cannot be paused at the end: {answer.text[:300]}"
                )
        for watched in list(self.watched_runs):
            if not self.checks.check(self.client, watched):
                self.report.violate(f"the records of run {watched.run} cannot be read")
            self._let_go(watched)
        self.checks.collect(wait=True)
        self.take_down()
        self.server.process.send_signal(signal.SIGINT)
        self.wait_end(time.monotonic(), 0)
        self._check_file()

    def _play_all(self) -> None:
        # Each run must be able to train on: its step grows, or it is finished.
        end = time.monotonic() + READY_SECS
        left = {watched.run: watched for watched in self.watched_runs}
        begun: dict[str, int] = {}
        while left and time.monotonic() < end:
            for run in self.runs() or []:
                if run["id"] not in left:
                    continue
                step = begun.setdefault(run["id"], run["step"])
                if run["step"] > step or run["state"] in ("finished", "failed"):
                    del left[run["id"]]
                elif run["state"] != "running":
                    self.sender.send(left[run["id"]], {"kind": "play"})
            time.sleep(0.1)
        for name in left:
            self.report.violate(f"run {name} does not train on after play: {self._states()}")

    def _check_file(self) -> None:
        with closing(sqlite3.connect(self.data / "livegrad.sqlite3")) as db:
            (said,) = db.execute("PRAGMA integrity_check").fetchone()
        if said != "ok":
            self.report.violate(f"SQLite says of the run log: {said}")
        end = time.monotonic() + END_SECS
        while (
            left := [p for p in self.processes.pids() if is_alive(p)]
        ) and time.monotonic() < end:
            time.sleep(0.1)
        if left:
            self.report.violate(
                f"{len(left)} processes are left {END_SECS:.0f} s after the server was stopped"
            )
