"""Progress is known by its token, for a while, of so many; who has gone is worked for no longer."""

import pytest

from livegrad.errors import Abandoned, LogError, UnknownThing
from livegrad.export.progress import LASTING_SECS, MOST, Board


def test_it_is_told_how_far_an_answer_is_and_how_it_ended() -> None:
    board = Board()
    progress = board.begin("a", "token")
    assert (board.find("a", "token").rows_done, progress.rows) == (0, None)
    progress.reach(3, 10)
    assert (board.find("a", "token").rows_done, progress.rows, progress.state) == (3, 10, "running")
    progress.finish()
    progress.cancel()
    assert (progress.rows_done, progress.state) == (10, "done")


def test_what_nobody_waits_for_goes_no_further() -> None:
    progress = Board().begin("a", None)
    progress.cancel()
    with pytest.raises(Abandoned), progress.failing():
        progress.reach(1, 2)
    assert (progress.state, progress.detail, progress.rows_done) == ("cancelled", None, 0)


def test_a_failure_is_told_in_words_and_a_bug_without_its_own() -> None:
    ours, bug = Board().begin("a", None), Board().begin("a", None)
    with pytest.raises(LogError), ours.failing():
        raise LogError("the disk is full")
    with pytest.raises(ZeroDivisionError), bug.failing():
        raise ZeroDivisionError("secret")
    assert (ours.state, ours.detail) == ("failed", "the disk is full")
    assert bug.detail is not None
    assert "secret" not in bug.detail


def test_a_token_belongs_to_its_run_and_to_its_last_answer() -> None:
    board = Board()
    board.begin("a", "token").finish()
    assert board.begin("a", "token") is board.find("a", "token")
    with pytest.raises(UnknownThing, match="token"):
        board.find("b", "token")


def test_the_oldest_are_forgotten_and_those_not_heard_of() -> None:
    board = Board()
    for count in range(MOST + 1):
        board.begin("a", str(count))
    with pytest.raises(UnknownThing):
        board.find("a", "0")
    board.find("a", "1").heard_at -= LASTING_SECS + 1
    with pytest.raises(UnknownThing):
        board.find("a", "1")
    assert board.find("a", str(MOST)).state == "running"
