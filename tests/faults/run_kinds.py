"""Faults of haste: runs deleted while they start, continued while they are under way, commands in bursts."""

import random
import time

from tests.faults.commander import drawn
from tests.faults.kind import kind
from tests.faults.subject import Subject
from tests.faults.twin import tunings
from tests.faults.world import World

BRANCH_STEPS = 300


@kind(3)
def make_and_delete_run(world: World, source: random.Random) -> None:
    """Make a run and delete it at once, or while it starts, with a command waiting."""
    answer = world.ask("POST", "/api/runs", {"name": "scratch", "max_steps": 1000})
    if answer is None or answer.status_code != 201:
        return
    scratch = Subject(
        answer.json()["id"], "scratch", {"optimizer": {}, "max_steps": 1000}, is_done=True
    )
    if source.random() < 0.5:
        world.commander.send(scratch, {"kind": "step", "count": 5})
    time.sleep(source.choice([0, 0, 0.02, 0.2]))
    world.delete(scratch.run)


@kind(2)
def branch_from_run(world: World, source: random.Random) -> None:
    """Continue a run from a step that it has, while it is under way; the branch is looked after as any run."""
    parents = [s for s in world.subjects if s.floor > s.first + 1 and s.kind != "branch"]
    if not parents or sum(s.kind == "branch" for s in world.subjects) >= 2:
        return
    parent = source.choice(parents)
    step = source.randint(parent.first, parent.floor)
    body = {"step": step, "changes": {"max_steps": step + BRANCH_STEPS, "pace": 100}}
    answer = world.ask("POST", f"/api/runs/{parent.run}/branches", body)
    if answer is None or answer.status_code != 201:
        return
    run = answer.json()
    config = run["config"]
    past = [*parent.past, (parent.first, parent.rate), *tunings(world.data, parent.run)]
    asked = parent.asked | {
        "optimizer": config["optimizer"],
        "max_steps": step + BRANCH_STEPS,
        "pace": 100,
    }
    world.attend(Subject(run["id"], "branch", asked, [r for r in past if r[0] < step], step))


@kind(6)
def burst_of_commands(world: World, source: random.Random) -> None:
    """Send a command to every run at once."""
    for subject in world.subjects:
        world.commander.send(subject, drawn(subject, source))
