"""One table says what becomes of each command in each state, and it is whole."""

from typing import get_args

import pytest

from livegrad.lifecycle import (
    FINAL,
    LIVE,
    TABLE,
    CommandKind,
    State,
    Verdict,
    after_loss_of_trainer,
    allowed,
    judge,
)

KINDS: tuple[CommandKind, ...] = get_args(CommandKind)


def test_every_command_has_a_verdict_in_every_state() -> None:
    assert TABLE.keys() == set(State)
    assert all(row.keys() == set(KINDS) for row in TABLE.values())


@pytest.mark.parametrize("state", FINAL)
def test_final_states_refuse_everything(state: State) -> None:
    assert allowed(state) == []


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_live_trainer_is_sent_commands(kind: CommandKind) -> None:
    sent = {state for state in State if judge(state, kind) is Verdict.SEND}
    assert sent <= {State.PAUSED, State.RUNNING}
    assert judge(State.STARTING, kind) is Verdict.WAIT


def test_asking_for_what_is_already_so_is_no_error() -> None:
    assert judge(State.RUNNING, "play") is Verdict.SEND
    assert judge(State.PAUSED, "pause") is Verdict.SEND


def test_a_lost_trainer_leaves_a_live_run_interrupted_or_failed_and_final_ones_as_they_are() -> None:
    for state in State:
        for failed in (False, True):
            after = after_loss_of_trainer(state, failed)
            if state in FINAL:
                assert after is state
            else:
                assert after is (State.FAILED if failed else State.INTERRUPTED)
            assert after not in LIVE
