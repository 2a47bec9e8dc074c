"""Whatever becomes of the forkserver, the server answers, and runs go on from their last record by
themselves.
"""

import os
import random
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.running import Server, serving
from tests.server.test_surroundings import COMMAND, check_it_works, first_run, state_dict
from tests.server.trainers import forkserver_of

MOMENTS = 6
ANSWER_SECS = 1.0


def seconds_to_answer(server: Server) -> float:
    begun = time.perf_counter()
    server.get("/health")
    return time.perf_counter() - begun


def wait_for_step(server: Server, run: str, step: int) -> None:
    end = time.monotonic() + 60
    while (found := server.get(f"/runs/{run}"))["step"] < step:
        assert found["state"] in ("running", "starting"), found
        assert time.monotonic() < end, found
        time.sleep(0.05)


@pytest.mark.alone
@pytest.mark.slow
def test_runs_go_on_and_the_server_answers_while_the_forkserver_is_killed_repeatedly(
    tmp_path: Path,
) -> None:
    moments = random.Random(7)
    with serving(tmp_path) as server:
        runs = [first_run(server), server.create(optimizer={"kind": "adam"}, max_steps=1_000_000)]
        for run in runs:
            server.command(run, "tune", pace=200)
            server.command(run, "play")
        waits = list[float]()
        for number in range(MOMENTS):
            steps = [server.get(f"/runs/{run}")["step"] for run in runs]
            forkserver_of(server).kill()
            if number % 2:  # in the midst of a start
                server.post("/runs", {"name": f"made at loss {number}"})
            waits += [seconds_to_answer(server) for _ in range(5)]
            time.sleep(moments.uniform(0, 1.5))
            waits.append(seconds_to_answer(server))
            for run, step in zip(runs, steps, strict=True):
                wait_for_step(server, run, min(step + 5, 5000))
        assert sorted(waits)[-2] < ANSWER_SECS, waits  # one may have met a busy machine
        for run in server.get("/runs"):
            assert (
                server.wait(run["id"], "paused", "running", "finished", "failed")["state"]
                != "failed"
            )
        assert server.stop() == 0


def test_a_state_dict_is_made_after_the_forkserver_was_lost(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        run = first_run(server)
        before = state_dict(server, run)
        forkserver_of(server).kill()
        assert state_dict(server, run) == before


def test_trainers_end_with_their_forkserver_even_a_frozen_one(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        run = first_run(server)
        forkserver = forkserver_of(server)
        [trainer] = forkserver.children()
        trainer.suspend()
        forkserver.kill()
        # sooner than its silence would be noticed, 10 s
        assert psutil.wait_procs([trainer], timeout=5)[0]
        assert server.command(run, "step")["step"] == 1


LIMITS = {"files": "--nofile", "processes": "--nproc"}


def somebody() -> tuple[str, ...]:
    """Return what runs a program under a limit of processes: root is under none, another user is.

    That user may read what root may, such as the interpreter in root's home.
    """
    if os.getuid() != 0:
        return ()
    capabilities = "--inh-caps=+dac_override", "--ambient-caps=+dac_override"
    return ("setpriv", "--reuid=65534", "--clear-groups", *capabilities)


def set_limit(process: psutil.Process, limit: str, value: str) -> None:
    """Set the process's soft limit, as its own user."""
    command = [*somebody(), "prlimit", f"--pid={process.pid}", f"{limit}={value}:"]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.parametrize("limited", LIMITS)
def test_a_start_that_the_system_refuses_is_tried_again_and_is_no_failure(
    tmp_path: Path, limited: str
) -> None:
    with serving(tmp_path, program=(*somebody(), *COMMAND)) as server:
        first_run(server)
        forkserver = forkserver_of(server)
        set_limit(forkserver, LIMITS[limited], "1")
        run = server.post("/runs", {"pace": None})["id"]
        time.sleep(0.3)
        assert server.get(f"/runs/{run}")["state"] == "starting"
        assert seconds_to_answer(server) < ANSWER_SECS
        set_limit(forkserver, LIMITS[limited], "1000")
        assert server.wait(run, "paused", "failed", "interrupted")["state"] == "paused", (
            server.log_text()
        )
        check_it_works(server)
