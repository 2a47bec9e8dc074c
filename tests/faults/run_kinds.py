"""Faults of haste: runs deleted while they start, continued while they are under way, commands in
bursts.
"""

import random
import time

from tests.faults.command_sender import drawn
from tests.faults.kind import kind
from tests.faults.reference import tunings
from tests.faults.system import System
from tests.faults.watched_run import WatchedRun

BRANCH_STEPS = 300


@kind(3)
def make_and_delete_run(system: System, source: random.Random) -> None:
    """Make a run and delete it at once, or while it starts, with a command waiting."""
    answer = system.ask("POST", "/api/runs", {"name": "scratch", "max_steps": 1000})
    if answer is None or answer.status_code != 201:
        return
    scratch = WatchedRun(
        answer.json()["id"], "scratch", {"optimizer": {}, "max_steps": 1000}, is_done=True
    )
    if source.random() < 0.5:
        system.sender.send(scratch, {"kind": "step", "count": 5})
    time.sleep(source.choice([0, 0, 0.02, 0.2]))
    system.delete(scratch.run)


@kind(2)
def branch_from_run(system: System, source: random.Random) -> None:
    """Continue a run from one of its steps while it trains; look after the branch as any run."""
    parents = [s for s in system.watched_runs if s.floor > s.first + 1 and s.kind != "branch"]
    if not parents or sum(s.kind == "branch" for s in system.watched_runs) >= 2:
        return
    parent = source.choice(parents)
    step = source.randint(parent.first, parent.floor)
    body = {"step": step, "changes": {"max_steps": step + BRANCH_STEPS, "pace": 100}}
    answer = system.ask("POST", f"/api/runs/{parent.run}/branches", body)
    if answer is None or answer.status_code != 201:
        return
    run = answer.json()
    config = run["config"]
    past = [*parent.past, (parent.first, parent.rate), *tunings(system.data, parent.run)]
    asked = parent.asked | {
        "optimizer": config["optimizer"],
        "max_steps": step + BRANCH_STEPS,
        "pace": 100,
    }
    system.attend(WatchedRun(run["id"], "branch", asked, [r for r in past if r[0] < step], step))


@kind(6)
def burst_of_commands(system: System, source: random.Random) -> None:
    """Send a command to every run at once."""
    for watched in system.watched_runs:
        system.sender.send(watched, drawn(watched, source))
