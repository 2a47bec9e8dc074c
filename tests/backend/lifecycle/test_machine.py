"""One table says what becomes of each command in each state.

`advance` says what every event leads to.
"""

from dataclasses import replace
from typing import get_args

import pytest

from livegrad.lifecycle.effects import (
    CloseSession,
    Drain,
    Effect,
    EndProcess,
    FailCommands,
    Forget,
    Launch,
    LogBegin,
    LogEnd,
    SetTimer,
    StopTrainer,
    TellRestart,
    Welcome,
)
from livegrad.lifecycle.events import (
    BeginAsked,
    Begun,
    Broke,
    Closing,
    Connected,
    Deleted,
    Drained,
    Ended,
    Event,
    Launched,
    Logged,
    Lost,
    Opened,
    Parted,
    Silent,
    TimedOut,
)
from livegrad.lifecycle.machine import RESTART_DELAYS_SECS, RESTARTS, STOPPED, advance
from livegrad.lifecycle.states import (
    CommandKind,
    Loss,
    RunState,
    State,
    Status,
    Trainer,
)

KINDS: tuple[CommandKind, ...] = get_args(CommandKind)
NEW = RunState(State.STARTING, 0, -1, lr=0.5)
KILLED = Loss("its process was killed by SIGKILL")


def after(run: RunState, *events: Event) -> tuple[RunState, list[Effect]]:
    """Return the state after the events, and what the last of them led to."""
    effects: list[Effect] = []
    for event in events:
        run, effects = advance(run, event)
    return run, effects


def begun(
    epoch: int, state: State = State.STARTING, last_step: int = -1, goal: int | None = None
) -> Begun:
    return Begun(epoch, state, last_step, goal, 0.5, None)


def logged(state: State, last_step: int = 0, seq: int = 1, epoch: int = 1) -> Logged:
    return Logged(epoch, last_step, seq, Status(state, None, None, 0.5, None))


STARTED = (BeginAsked(), begun(1), Launched(1), Connected(1, 7))
PAUSED, _ = after(NEW, *STARTED, logged(State.PAUSED))
RUNNING, _ = after(PAUSED, logged(State.RUNNING, 5, 3))


def test_a_new_run_is_begun_launched_welcomed_and_starting_until_it_says_how_it_stands() -> None:
    run, effects = after(NEW, BeginAsked())
    assert LogBegin() in effects
    run, effects = after(run, begun(1))
    assert Launch(1, plays=False, goal=None) in effects
    run, effects = after(run, Launched(1), Connected(1, 7))
    assert Welcome(7) in effects
    assert run.shown is State.STARTING
    assert after(run, logged(State.PAUSED))[0].shown is State.PAUSED


def test_whoever_asks_twice_for_a_trainer_gets_one() -> None:
    run, _ = after(NEW, BeginAsked())
    assert after(run, BeginAsked()) == (run, [])


def test_a_killed_trainer_is_started_again_after_all_that_it_sent_is_logged() -> None:
    run, effects = after(RUNNING, Lost(1, KILLED))
    assert effects == []  # its connection's end comes after what it sent last
    run, effects = after(run, Parted(7, is_ours=False))
    assert effects == [Drain(1)]
    run, _ = after(run, Logged(1, 9, 5))
    run, effects = after(run, Drained(1))
    assert LogBegin(0.0) in effects
    assert TellRestart(KILLED.reason) in effects
    assert any(isinstance(effect, FailCommands) and effect.only_sent for effect in effects)
    assert run.shown is State.STARTING
    _, effects = after(run, begun(2, State.RUNNING, 9, goal=50))
    assert Launch(2, plays=True, goal=50) in effects


def test_a_finished_trainer_that_ends_is_not_lost_whatever_comes_first() -> None:
    for events in (
        (logged(State.FINISHED, 9, 5), Lost(1, KILLED), Parted(7, is_ours=True), Drained(1)),
        (Lost(1, KILLED), Parted(7, is_ours=True), logged(State.FINISHED, 9, 5), Drained(1)),
        (Parted(7, is_ours=True), Lost(1, KILLED), logged(State.FINISHED, 9, 5), Drained(1)),
    ):
        run, _ = after(RUNNING, *events)
        assert (run.shown, run.trainer) == (State.FINISHED, Trainer.NONE)


def test_an_error_of_the_training_code_fails_the_run_and_nothing_else_does() -> None:
    error = Loss("ValueError: no", is_failure=True)
    run, effects = after(RUNNING, Lost(1, error), Parted(7, is_ours=True), Drained(1))
    assert effects == [LogEnd(1, State.FAILED, error.reason)]
    run, effects = after(run, Ended(1, State.FAILED, error.reason))
    assert (run.shown, run.reason, run.trainer) == (State.FAILED, error.reason, Trainer.NONE)
    assert FailCommands(error.reason) in effects


def test_a_trainer_that_dies_again_and_again_without_a_step_leaves_an_interrupted_run() -> None:
    run, delays = RUNNING, []
    for epoch in range(1, RESTARTS + 1):
        run, effects = after(run, Lost(epoch, KILLED), Parted(7, is_ours=True), Drained(epoch))
        delays += [effect.delay_secs for effect in effects if isinstance(effect, LogBegin)]
        run, _ = after(run, begun(epoch + 1, State.RUNNING, 5))
    assert tuple(delays) == RESTART_DELAYS_SECS
    _, effects = after(run, Lost(RESTARTS + 1, KILLED), Drained(RESTARTS + 1))
    [end] = effects
    assert isinstance(end, LogEnd)
    assert end.state is State.INTERRUPTED
    assert KILLED.reason in end.reason


def test_a_step_between_two_losses_gives_all_tries_back() -> None:
    run = replace(RUNNING, restarts=(5,) * RESTARTS)
    run, effects = after(
        run, logged(State.RUNNING, 6, 4), Lost(1, KILLED), Parted(7, is_ours=True), Drained(1)
    )
    assert LogBegin(0.0) in effects
    assert run.restarts == (6,)


def test_a_lost_connection_is_waited_for() -> None:
    run, effects = after(RUNNING, Parted(7, is_ours=False))
    [timer] = effects
    assert isinstance(timer, SetTimer)
    assert run.shown is State.RUNNING
    back, effects = after(run, Connected(1, 8))
    assert Welcome(8) in effects
    assert after(back, TimedOut(timer.timer)) == (back, [])
    _, effects = after(run, TimedOut(timer.timer))
    assert effects == [EndProcess(), Drain(1)]


def test_a_timer_of_an_earlier_wait_means_nothing() -> None:
    run, first = after(RUNNING, Parted(7, is_ours=False))
    run, _ = after(run, Connected(1, 8), Parted(8, is_ours=False))
    assert isinstance(first[0], SetTimer)
    assert after(run, TimedOut(first[0].timer)) == (run, [])


def test_a_silent_trainer_is_replaced() -> None:
    run, effects = after(RUNNING, Silent(7))
    assert [type(effect) for effect in effects] == [CloseSession, EndProcess, Drain]
    assert after(run, Connected(1, 9))[1] == [CloseSession(9, "another trainer takes over")]
    assert LogBegin(0.0) in after(run, Drained(1))[1]


@pytest.mark.parametrize(
    "event", [Lost(0, KILLED), Parted(6, True), Silent(6), Broke(0, "x"), Drained(1)]
)
def test_what_an_older_trainer_does_means_nothing(event: Event) -> None:
    assert after(RUNNING, event) == (RUNNING, [])


def test_an_older_trainer_is_turned_away() -> None:
    run, effects = after(replace(RUNNING, epoch=2), Connected(1, 8))
    assert effects == [CloseSession(8, "another trainer takes over")]
    assert run.session == 7


def test_a_trainer_that_connects_anew_replaces_its_older_connection() -> None:
    run, effects = after(RUNNING, Connected(1, 8))
    assert CloseSession(7, "its trainer connected again") in effects
    assert run.session == 8
    assert after(run, Parted(7, is_ours=True)) == (run, [])


def test_a_trainer_that_breaks_the_protocol_fails_its_run() -> None:
    run, effects = after(RUNNING, Broke(1, "steps were left out"))
    assert [type(effect) for effect in effects] == [CloseSession, EndProcess, Drain]
    assert after(run, Drained(1))[1] == [LogEnd(1, State.FAILED, "steps were left out")]


def test_a_server_that_ends_stops_its_trainers_and_interrupts_their_runs() -> None:
    run, effects = after(RUNNING, Closing())
    assert effects == [StopTrainer(7)]
    run, effects = after(run, Parted(7, is_ours=False), Drained(1))
    assert effects == [LogEnd(1, State.INTERRUPTED, STOPPED)]
    assert after(run, Ended(1, State.INTERRUPTED, STOPPED))[0].trainer is Trainer.NONE


@pytest.mark.parametrize("events", [STARTED[:1], STARTED[:2], STARTED[:3]])
def test_a_server_that_ends_while_a_trainer_starts_waits_for_neither(
    events: tuple[Event, ...],
) -> None:
    run, _ = after(NEW, *events, Closing())
    rest: dict[Trainer, tuple[Event, ...]] = {
        Trainer.BEGINNING: (begun(1),),
        Trainer.LAUNCHING: (Launched(1), Drained(1)),
        Trainer.ENDING: (Drained(1),),
    }
    assert LogEnd(1, State.INTERRUPTED, STOPPED) in after(run, *rest[run.trainer])[1]


def test_after_the_server_ended_its_trainers_are_waited_for_and_then_started_again() -> None:
    opened, effects = after(RunState(State.RUNNING, 3, 40, seq=12), Opened())
    [timer] = effects
    assert isinstance(timer, SetTimer)
    assert opened.shown is State.STARTING
    assert after(opened, Connected(3, 1))[0].shown is State.RUNNING
    run, _ = after(opened, TimedOut(timer.timer), Drained(3))
    assert Launch(4, plays=True, goal=None) in after(run, begun(4, State.RUNNING, 40))[1]


def test_a_run_that_was_made_and_never_begun_is_begun() -> None:
    assert LogBegin() in after(NEW, Opened())[1]


def test_beyond_the_limit_a_run_is_interrupted_and_says_why() -> None:
    _, [end] = after(RunState(State.PAUSED, 3, 40), Opened(may_train=False))
    assert isinstance(end, LogEnd)
    assert "fewer runs at once" in end.reason


@pytest.mark.parametrize("state", [State.FINISHED, State.FAILED, State.INTERRUPTED])
def test_a_run_that_is_at_rest_stays_so_when_the_server_starts(state: State) -> None:
    run = RunState(state, 3, 40)
    assert after(run, Opened()) == (run, [])


def test_an_interrupted_run_is_begun_by_whoever_asks_and_does_not_train_by_itself() -> None:
    run, effects = after(RunState(State.INTERRUPTED, 3, 40), BeginAsked())
    assert LogBegin() in effects
    assert Launch(4, plays=False, goal=None) in after(run, begun(4, State.STARTING, 40))[1]


@pytest.mark.parametrize("events", [(), STARTED[:1], STARTED[:2], STARTED[:3], STARTED])
def test_a_deleted_run_is_forgotten_whatever_it_was_doing(events: tuple[Event, ...]) -> None:
    run, _ = after(NEW, *events)
    run, effects = after(run, Deleted())
    assert {EndProcess(), FailCommands("the run was deleted"), Forget()} <= set(effects)
    for late in (
        *STARTED,
        Logged(1, 5, 5),
        Lost(1, KILLED),
        Drained(1),
        TimedOut(1),
        Ended(1, State.FAILED, ""),
    ):
        run, effects = after(run, late)
        assert {type(effect) for effect in effects} <= {CloseSession, EndProcess}
    assert run.trainer is Trainer.NONE


def test_a_process_that_comes_into_being_after_its_run_was_deleted_is_ended() -> None:
    run, _ = after(NEW, *STARTED[:2], Deleted())
    assert after(run, Launched(1))[1] == [EndProcess()]
