"""The table of states and commands, and what a run shows of its state."""

from dataclasses import replace
from typing import get_args

import pytest

from livegrad.lifecycle.states import (
    FINAL,
    LIVE,
    TABLE,
    CommandKind,
    RunState,
    State,
    Trainer,
    Verdict,
    allowed,
    judge,
)

KINDS: tuple[CommandKind, ...] = get_args(CommandKind)
AT_WORK = RunState(State.RUNNING, 1, 5, trainer=Trainer.CONNECTED, is_ready=True)


def test_what_is_allowed_is_what_is_not_refused() -> None:
    for state in State:
        refused = {kind for kind in KINDS if judge(state, kind) is Verdict.REFUSE}
        assert set(allowed(state)) == set(KINDS) - refused
    assert allowed(State.RUNNING) == ["play", "pause", "tune"]
    assert allowed(State.FINISHED) == []


def test_every_command_has_a_verdict_in_every_state() -> None:
    assert TABLE.keys() == set(State)
    assert all(row.keys() == set(KINDS) for row in TABLE.values())


@pytest.mark.parametrize("state", sorted(FINAL))
@pytest.mark.parametrize("kind", KINDS)
def test_final_states_refuse_everything(state: State, kind: CommandKind) -> None:
    assert judge(state, kind) is Verdict.REFUSE


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_live_trainer_is_sent_commands(kind: CommandKind) -> None:
    sent = {state for state in State if judge(state, kind) is Verdict.SEND}
    assert sent <= {State.PAUSED, State.RUNNING}
    assert judge(State.STARTING, kind) is Verdict.WAIT


def test_asking_for_what_is_already_so_is_no_error() -> None:
    assert judge(State.RUNNING, "play") is Verdict.SEND
    assert judge(State.PAUSED, "pause") is Verdict.SEND


def test_a_state_is_live_or_final_or_interrupted() -> None:
    assert set(State) - LIVE - FINAL == {State.INTERRUPTED}
    assert not LIVE & FINAL


@pytest.mark.parametrize(
    ("run", "shown"),
    [
        (AT_WORK, State.RUNNING),
        (replace(AT_WORK, is_ready=False), State.STARTING),
        (replace(AT_WORK, trainer=Trainer.EXPECTED, is_ready=False), State.STARTING),
        (replace(AT_WORK, trainer=Trainer.EXPECTED), State.RUNNING),  # it connects again
        (replace(AT_WORK, trainer=Trainer.BEGINNING), State.STARTING),
        (replace(AT_WORK, trainer=Trainer.LAUNCHING, state=State.INTERRUPTED), State.STARTING),
        (replace(AT_WORK, state=State.FINISHED, is_ready=False), State.FINISHED),
        (replace(AT_WORK, state=State.INTERRUPTED, trainer=Trainer.NONE), State.INTERRUPTED),
    ],
)
def test_a_run_shows_starting_until_its_trainer_has_said_how_it_stands(
    run: RunState, shown: State
) -> None:
    assert run.shown is shown


@pytest.mark.parametrize("trainer", Trainer)
@pytest.mark.parametrize("state", State)
def test_a_run_is_live_while_a_trainer_is_at_work_or_about_to_be(
    state: State, trainer: Trainer
) -> None:
    is_live = RunState(state, 1, 0, trainer=trainer).is_live
    assert is_live is (state not in FINAL and (trainer is not Trainer.NONE or state in LIVE))
