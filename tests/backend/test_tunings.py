"""Tunings as events of the log: every one, however many came between two commits."""

import time

from livegrad.config import RunConfig
from livegrad.lifecycle import State
from livegrad.runs.committer import _batch
from livegrad.runs.run import Arrival, Meeting
from livegrad.store.log import Entry


def test_a_rate_that_is_tuned_there_and_back_leaves_both_events() -> None:
    config = RunConfig().model_dump(mode="json")
    entry = Entry("1", "run", config, time.time(), State.RUNNING, None, 1, "", 0.001, None, (), {}, 0)
    meeting = Meeting(entry, None)
    states = [(10, 0.5), (10, 0.5), (20, 0.001)]
    batch = _batch(
        meeting,
        [
            Arrival(1, message={"kind": "state", "state": "running", "step": step, "lr": lr, "pace": None})
            for step, lr in states
        ],
    )
    assert [(event.step, event.detail["lr"]) for event in batch.events] == [(10, 0.5), (20, 0.001)]
