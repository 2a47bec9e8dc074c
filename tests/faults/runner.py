"""Carries a schedule out.

One fault after another, a command beside most of them, and the checks at the end.
"""

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.faults import client_kinds, disk_kinds, process_kinds, run_kinds
from tests.faults.command_sender import drawn
from tests.faults.kind import KINDS, LeftOut
from tests.faults.report import Report
from tests.faults.schedule import Fault, schedule
from tests.faults.system import System

MODULES = (client_kinds, disk_kinds, process_kinds, run_kinds)  # each fills KINDS as it is imported
TEND_SECS = 0.3
PROGRESS_SECS = 30.0


def run(seed: int, faults: int, minutes: float, folder: Path, names: Sequence[str] = ()) -> Report:
    """Carry out a schedule of these kinds, or of all, for `minutes` at most.

    Return what came of it.
    """
    report = Report(seed)
    weights = {name: KINDS[name].weight for name in names or KINDS}
    with closing(System(folder, seed, report)) as system:
        system.wait_ready(time.monotonic(), "the beginning")
        pace = _Pace(system, report)
        for fault in schedule(seed, faults, weights):
            if report.secs > 60 * minutes:
                break
            _carry_out(system, report, fault)
            pace.between()
        report.recent.appendleft("the end")
        system.finish()
    return report


class _Pace:
    # What is due between two faults: looking after the runs, and a line of progress.

    def __init__(self, system: System, report: Report) -> None:
        self._system, self._report = system, report
        self._tended = self._told = 0.0

    def between(self) -> None:
        now = time.monotonic()
        if now - self._tended >= TEND_SECS:
            self._system.tend()
            self._tended = time.monotonic()
        if now - self._told >= PROGRESS_SECS:
            print(self._report.progress(), file=sys.stderr, flush=True)
            self._told = now


def _carry_out(system: System, report: Report, fault: Fault) -> None:
    time.sleep(fault.wait_secs)
    choices = fault.choices()
    report.begin(fault.index, fault.kind)
    if system.watched_runs and choices.random() < 0.6:
        watched = choices.choice(system.watched_runs)
        system.sender.send(watched, drawn(watched, choices))
    try:
        KINDS[fault.kind].act(system, choices)
    except LeftOut as error:
        report.left_out[fault.kind] = str(error)
        report.counts[fault.kind] -= 1
