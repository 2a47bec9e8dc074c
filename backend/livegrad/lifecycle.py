"""A run's states and what each command does in them. PURE: one table, no clocks, no I/O.

The rules:
1.  A run is `starting` from its creation until its trainer stands at step 0, and again whenever a trainer is started.
2.  A command sent to a run that is starting waits for the trainer, then is judged by the state that it finds.
3.  Commands act only on a live trainer. `interrupted` means that the trainer is gone while the record is whole:
    whatever asks for training starts it again from its last record.
4.  `finished` and `failed` are final.
5.  Asking for what is already so (play while running, pause while paused) is not an error.
6.  A trainer's end is never silent: a state that was live becomes `interrupted` or `failed`, with a reason.
"""

from enum import StrEnum
from typing import Literal

CommandKind = Literal["play", "pause", "step", "phase", "tune"]
PHASES = ("zero_grad", "forward", "loss", "backward", "step")


class State(StrEnum):
    """Where a run stands."""

    STARTING = "starting"
    PAUSED = "paused"
    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Verdict(StrEnum):
    """What becomes of a command."""

    SEND = "send"
    WAIT = "wait"
    RESUME = "resume"
    REFUSE = "refuse"


_WAIT, _SEND, _RESUME, _NO = Verdict.WAIT, Verdict.SEND, Verdict.RESUME, Verdict.REFUSE

TABLE: dict[State, dict[CommandKind, Verdict]] = {
    State.STARTING: {"play": _WAIT, "pause": _WAIT, "step": _WAIT, "phase": _WAIT, "tune": _WAIT},
    State.PAUSED: {"play": _SEND, "pause": _SEND, "step": _SEND, "phase": _SEND, "tune": _SEND},
    State.RUNNING: {"play": _SEND, "pause": _SEND, "step": _NO, "phase": _NO, "tune": _SEND},
    State.FINISHED: {"play": _NO, "pause": _NO, "step": _NO, "phase": _NO, "tune": _NO},
    State.INTERRUPTED: {"play": _RESUME, "pause": _NO, "step": _RESUME, "phase": _RESUME, "tune": _RESUME},
    State.FAILED: {"play": _NO, "pause": _NO, "step": _NO, "phase": _NO, "tune": _NO},
}

LIVE = frozenset({State.STARTING, State.PAUSED, State.RUNNING})
FINAL = frozenset({State.FINISHED, State.FAILED})


def judge(state: State, command: CommandKind) -> Verdict:
    """Return what becomes of `command` in `state`."""
    return TABLE[state][command]


def allowed(state: State) -> list[CommandKind]:
    """Return the commands that `state` does not refuse."""
    return [kind for kind, verdict in TABLE[state].items() if verdict is not Verdict.REFUSE]


def after_loss_of_trainer(state: State, failed: bool) -> State:
    """Return the state of a run whose trainer has gone: final states stay."""
    if state in FINAL:
        return state
    return State.FAILED if failed else State.INTERRUPTED
