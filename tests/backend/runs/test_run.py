"""What the server knows of a run, and what each viewer is told of it."""

import json
import struct
from typing import Any

import pytest

from livegrad.config import RunConfig
from livegrad.errors import Forbidden
from livegrad.lifecycle.states import State
from livegrad.protocol import PHASE, RECORDS, Frame, columns_of, decode, encode
from livegrad.runs.feed import Feed
from livegrad.runs.run import MAX_VIEWERS, LiveRun
from livegrad.runs.trainer_messages import Status, message
from livegrad.store.entry import Entry

COLUMNS = columns_of([("0.weight", (1, 1)), ("0.bias", (1,))], [])
FLOATS = 3 + 4


def live_run(state: State = State.PAUSED) -> LiveRun:
    config = RunConfig().model_dump(mode="json")
    entry = Entry("a", "n", config, 0.0, state, None, 1, "", 0.001, 60, COLUMNS, {}, -1)
    return LiveRun(entry, None)


def frame(step: int, loss: float = 1.5, kind: int = RECORDS) -> Frame:
    return Frame(
        kind, 1, step, 1, 0, 0.0, struct.pack(f"<{FLOATS}f", loss, 2.5, *range(FLOATS - 2))
    )


def publish(run: LiveRun, one: Frame) -> None:
    run.publish(one, encode(one))


def status(phase: str, **changes: Any) -> Status:
    told = {
        "kind": "state",
        "phase": phase,
        "state": "paused",
        "step": 0,
        "grad_states": ["stale"] * 2,
        "loss": 0.5,
        "validation_loss": 0.25,
        "lr": 0.01,
        "pace": None,
    }
    said = message(json.dumps(told | changes))
    assert isinstance(said, Status)
    return said


def everything(feed: Feed) -> list[Any]:
    items = []
    while (item := feed._take()) is not None:
        items.append(json.loads(item)["kind"] if isinstance(item, str) else decode(item).last)
    return items


def test_a_viewer_gets_hello_then_the_newest_record_then_what_comes() -> None:
    run = live_run()
    publish(run, frame(0))
    publish(run, frame(1))
    feed = run.join(acknowledges=False)
    publish(run, frame(2))
    run.tell_state()
    assert everything(feed) == ["hello", 2, "state"]


def test_a_viewer_who_comes_within_an_iteration_gets_its_picture_after_the_record() -> None:
    run = live_run()
    publish(run, frame(4))
    picture = frame(4, kind=PHASE)
    run.publish_picture(picture, encode(picture))
    feed = run.join(acknowledges=False)
    assert feed._take() == run.hello()
    taken: list[Any] = [feed._take() for _ in range(2)]
    assert [decode(data).kind for data in taken] == [RECORDS, PHASE]


def test_the_next_record_supersedes_a_picture_and_its_phase() -> None:
    run = live_run()
    publish(run, frame(0))
    picture = frame(0, loss=7.0, kind=PHASE)
    run.publish_picture(picture, encode(picture))
    run.note_status(status("forward"))
    assert (run.standing().phase, run.standing().frame, run.standing().grad_states) == (
        "forward",
        picture,
        ["stale", "stale"],
    )
    publish(run, frame(1))
    assert (run.standing().phase, run.standing().frame.first) == ("step", 1)
    assert run.as_json()["grad_states"] == ["fresh", "fresh"]
    assert (run.as_json()["loss"], run.as_json()["validation_loss"]) == (1.5, 2.5)


def test_a_run_without_a_record_has_no_parameters_and_says_so() -> None:
    with pytest.raises(Forbidden, match="no parameters yet"):
        live_run(State.STARTING).standing()


def test_step_0_has_no_loss_and_no_gradients() -> None:
    run = live_run()
    publish(run, frame(0, loss=float("nan")))
    run.note_status(status("step", loss="nan", validation_loss="nan", grad_states=["none"] * 2))
    told = run.as_json()
    assert (told["step"], told["loss"], told["validation_loss"]) == (0, None, None)
    assert told["grad_states"] == ["none", "none"]


def test_a_loss_that_diverged_is_told_as_it_is() -> None:
    run = live_run()
    publish(run, frame(3, loss=float("inf")))
    assert run.as_json()["loss"] == "inf"
    json.dumps(run.as_json(), allow_nan=False)


def test_viewers_are_limited_and_a_place_is_free_again_when_one_leaves() -> None:
    run = live_run()
    feeds = [run.join(acknowledges=False) for _ in range(MAX_VIEWERS)]
    with pytest.raises(Forbidden, match=f"{MAX_VIEWERS} viewers"):
        run.join(acknowledges=False)
    run.leave(feeds[0])
    run.leave(feeds[0])  # twice is no harm
    assert run.join(acknowledges=False) in run.feeds
