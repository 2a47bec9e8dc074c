"""Carries a schedule out: one fault after another, a command beside most of them, and the checks at the end."""

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.faults import client_kinds, disk_kinds, process_kinds, run_kinds
from tests.faults.commander import drawn
from tests.faults.kind import KINDS, LeftOut
from tests.faults.ledger import Ledger
from tests.faults.schedule import Fault, schedule
from tests.faults.world import World

MODULES = (client_kinds, disk_kinds, process_kinds, run_kinds)  # each fills KINDS as it is imported
TEND_SECS = 0.3
PROGRESS_SECS = 30.0


def run(seed: int, faults: int, minutes: float, folder: Path, names: Sequence[str] = ()) -> Ledger:
    """Carry out a schedule of these kinds, or of all, for `minutes` at most; return what came of it."""
    ledger = Ledger(seed)
    weights = {name: KINDS[name].weight for name in names or KINDS}
    with closing(World(folder, seed, ledger)) as world:
        world.wait_ready(time.monotonic(), "the beginning")
        pace = _Pace(world, ledger)
        for fault in schedule(seed, faults, weights):
            if ledger.secs > 60 * minutes:
                break
            _carry_out(world, ledger, fault)
            pace.between()
        ledger.recent.appendleft("the end")
        world.finish()
    return ledger


class _Pace:
    # What is due between two faults: looking after the runs, and a line of progress.

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world, self._ledger = world, ledger
        self._tended = self._told = 0.0

    def between(self) -> None:
        now = time.monotonic()
        if now - self._tended >= TEND_SECS:
            self._world.tend()
            self._tended = time.monotonic()
        if now - self._told >= PROGRESS_SECS:
            print(self._ledger.progress(), file=sys.stderr, flush=True)
            self._told = now


def _carry_out(world: World, ledger: Ledger, fault: Fault) -> None:
    time.sleep(fault.wait_secs)
    choices = fault.choices()
    ledger.begin(fault.index, fault.kind)
    if world.subjects and choices.random() < 0.6:
        subject = choices.choice(world.subjects)
        world.commander.send(subject, drawn(subject, choices))
    try:
        KINDS[fault.kind].act(world, choices)
    except LeftOut as error:
        ledger.left_out[fault.kind] = str(error)
        ledger.counts[fault.kind] -= 1
