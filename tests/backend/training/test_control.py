"""Control holds the loop and lets it go: each case by a loop of its own on a thread of its own."""

import threading
from collections.abc import Iterator
from queue import Queue
from typing import Any

import pytest

from livegrad.lifecycle.states import PHASES, State
from livegrad.training.control import Control, Stopped

Message = dict[str, Any]


class Loop:
    """A loop without PyTorch, held at every boundary by a Control; what it says can be awaited."""

    def __init__(self, max_steps: int = 1000, pace: float | None = None) -> None:
        self.step, self.phase = 0, "step"
        self.pictures = 0
        self.lr = 0.1
        self._watched = False
        self._said: Queue[Message] = Queue()
        self._max_steps = max_steps
        self._number = 0
        self.control = Control(
            self, max_steps, pace, self._said.put, self._show, self._describe, self._set_lr
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.wait("state", state="paused")

    def watch_phases(self, wanted: bool) -> None:
        self._watched = wanted

    def _show(self) -> None:
        self.pictures += 1

    def _set_lr(self, lr: float) -> None:
        self.lr = lr

    def _describe(self, state: State) -> Message:
        return {"kind": "state", "state": state, "phase": self.phase, "step": self.step}

    def _run(self) -> None:
        try:
            self.control.begin()
            while self.step < self._max_steps:
                for phase in PHASES:
                    self.phase = phase
                    self.step += phase == "step"
                    if phase == "step" or self._watched:
                        self.control.boundary(phase)
            self.control.finish()
        except Stopped:
            self._said.put({"kind": "stopped"})

    def wait(self, kind: str, **wanted: Any) -> Message:
        """Return the next message of this kind, with these values."""
        while True:
            message = self._said.get(timeout=20)
            if message["kind"] == kind and wanted.items() <= message.items():
                return message

    def order(self, kind: str, **arguments: Any) -> str:
        self._number += 1
        self.control.submit(name := f"command {self._number}", {"kind": kind, **arguments})
        return name

    def do(self, kind: str, **arguments: Any) -> Message:
        return self.wait("answer", id=self.order(kind, **arguments))

    def end(self) -> None:
        self.control.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.end()


def test_step_is_exactly_so_many(loop: Loop) -> None:
    for count, after in ((1, 1), (10, 11), (100, 111)):
        answer = loop.do("step", count=count)
        assert (answer["applied_at_step"], answer["step"]) == (after - count, after)
        assert answer["state"] is State.PAUSED


def test_phase_goes_to_the_next_boundary_and_shows_a_picture_inside_an_iteration(
    loop: Loop,
) -> None:
    for number in range(10):
        answer = loop.do("phase")
        assert answer["phase"] == PHASES[number % 5]
        assert answer["step"] == (number + 1) // 5
    assert loop.pictures == 8  # not at the two ends of an iteration


def test_a_step_from_within_an_iteration_is_first_the_rest_of_it(loop: Loop) -> None:
    loop.do("phase")
    loop.do("phase")
    assert loop.do("step", count=1)["step"] == 1
    assert loop.phase == "step"


def test_pause_between_iterations_is_answered_at_once_and_within_one_after_it() -> None:
    loop = Loop(max_steps=10**9)
    loop.do("play")
    answer = loop.do("pause")
    assert (answer["state"], answer["step"]) == (State.PAUSED, answer["applied_at_step"])
    assert loop.do("pause")["step"] == answer["step"]
    loop.end()


def test_what_the_state_forbids_is_refused(loop: Loop) -> None:
    loop.control.pace = 0.1
    loop.do("play")
    refusal = loop.wait("refusal", id=loop.order("step", count=1))
    assert (refusal["state"], refusal["command"]) == (State.RUNNING, "step")
    loop.do("pause")


def test_tune_changes_what_it_names_and_nothing_else(loop: Loop) -> None:
    loop.do("tune", lr=0.5)
    assert (loop.lr, loop.control.pace) == (0.5, None)
    loop.do("tune", pace=7.0)
    assert (loop.lr, loop.control.pace) == (0.5, 7.0)
    loop.do("tune", pace=None)
    assert (loop.lr, loop.control.pace) == (0.5, None)


def test_the_loops_end_answers_whoever_waits_and_refuses_the_rest() -> None:
    loop = Loop(max_steps=3)
    number = loop.order("step", count=10)
    loop.wait("state", state="finished")
    assert loop.wait("answer", id=number)["step"] == 3
    loop.end()


def test_stop_ends_a_held_loop_and_a_slow_one() -> None:
    for pace in (None, 0.1):
        loop = Loop(pace=pace)
        if pace:
            loop.do("play")
        loop.end()
        loop.wait("stopped")


def test_commands_handed_over_together_are_each_answered_in_order(loop: Loop) -> None:
    numbers = [loop.order("tune", lr=float(i)) for i in range(20)]
    assert [loop.wait("answer")["id"] for _ in numbers] == numbers
    assert loop.lr == 19.0
