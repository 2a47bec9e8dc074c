"""Decides when the loop continues: play, pause, step, phase, pace.

Any thread may submit commands to a queue. Only the training thread takes them up, at the next
boundary, and answers each once it is applied. Knows nothing of sockets, and of PyTorch only the
learning rate that it tunes.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any, Protocol

from livegrad.lifecycle.states import State, Verdict, judge

Message = dict[str, Any]


class Stopped(BaseException):
    """The run was stopped from outside.

    Not an Exception, so that no loop catches it by accident.
    """


class Watched(Protocol):
    """The part of an observer that `Control` uses."""

    step: int
    phase: str

    def watch_phases(self, wanted: bool) -> None:
        """Report the phases inside an iteration, or stop reporting them."""


class Control:
    """Holds the loop at boundaries or lets it continue.

    `say(message)` sends a message to the server; `show()` sends a picture of the half-done
    iteration; `set_lr(lr)` tunes the optimizer. `wait_for(event, secs)` waits until `event` is set,
    or for `secs`, and returns whether it is set.
    """

    def __init__(
        self,
        observer: Watched,
        max_steps: int,
        pace: float | None,
        say: Callable[[Message], None],
        show: Callable[[], None],
        describe: Callable[[State], Message],
        set_lr: Callable[[float], None],
        wait_for: Callable[[Event, float | None], bool] = Event.wait,
    ) -> None:
        self.state = State.STARTING  # the state that was last sent to the server
        self.pace = pace
        self._observer = observer
        self._max_steps = max_steps
        self._say, self._show, self._describe, self._set_lr = say, show, describe, set_lr
        self._wait_for = wait_for
        self._commands: deque[tuple[str, Mapping[str, Any]]] = deque()
        self._arrived = Event()
        self._stop = False
        self._goal: int | None = None  # the step at which the current `step` command is done
        self._phase_goal = False  # whether to hold at the next phase boundary
        # (command id, step at which it was applied), answered when the loop is held
        self._pending: list[tuple[str, int]] = []
        self._due = 0.0  # monotonic time of the next step under a pace

    # -- any thread

    def submit(self, name: str, command: Mapping[str, Any]) -> None:
        """Submit a command. Its answer carries the id `name`."""
        self._commands.append((name, command))
        self._arrived.set()

    def stop(self) -> None:
        """End the loop at the next boundary."""
        self._stop = True
        self._arrived.set()

    # -- the training thread

    @property
    def goal(self) -> int | None:
        """Return the step at which the loop will be held, or None if it was not asked to hold."""
        return self._observer.step if self._phase_goal else self._goal

    def begin(self, plays: bool = False, goal: int | None = None) -> None:
        """Hold the loop before its first step until a command lets it continue.

        With `plays` it continues at once, up to the step `goal` if there is one.
        """
        if plays and (goal is None or goal > self._observer.step):
            self._goal = goal
            self._go()
        else:
            self._hold()

    def boundary(self, phase: str) -> None:
        """Let the loop continue, or hold it here.

        The observer calls this after every phase that it reports.
        """
        if phase == "step":
            self._after_step()
        elif self._phase_goal:
            self._hold()

    def poll(self) -> None:
        """Take up commands while the loop waits for another reason between two iterations."""
        if self._observer.step < self._max_steps and self._arrived.is_set():
            self._take_commands()
            if self._is_due_to_hold():
                self._hold()

    def _after_step(self) -> None:
        if self._observer.step >= self._max_steps:
            return  # the loop ends by itself; `finish` reports it
        if self._arrived.is_set():
            self._take_commands()
        if self._is_due_to_hold():
            self._hold()
        elif self.pace is not None and self._goal is None:
            self._wait_for_turn()

    def _is_due_to_hold(self) -> bool:
        return self._phase_goal or (self._goal is not None and self._observer.step >= self._goal)

    def finish(self) -> None:
        """Report that the loop has reached its end."""
        self.state = State.FINISHED
        self._say(self._describe(self.state))
        self._answer_pending()
        while self._commands:
            name, command = self._commands.popleft()
            self._refuse(name, command)

    def _hold(self) -> None:
        self._goal, self._phase_goal = None, False
        self._set(State.PAUSED)
        self._answer_pending()
        while self.state is State.PAUSED:
            self._wait_for(self._arrived, None)
            self._take_commands()

    def _wait_for_turn(self) -> None:
        # After a delay, catch up by at most a tenth of a second.
        due_since = max(self._due, time.monotonic() - 0.1)
        while self.pace is not None:
            self._due = due_since + 1 / self.pace
            left = self._due - time.monotonic()
            if left <= 0 or not self._wait_for(self._arrived, left):
                return
            self._take_commands()
            if self._is_due_to_hold():
                self._hold()
                return

    def _take_commands(self) -> None:
        self._arrived.clear()
        if self._stop:
            raise Stopped
        while self._commands:
            name, command = self._commands.popleft()
            if judge(self.state, command["kind"]) is Verdict.SEND:
                self._apply(name, command)
            else:
                self._refuse(name, command)

    def _apply(self, name: str, command: Mapping[str, Any]) -> None:
        step = self._observer.step
        match command["kind"]:
            case "play":
                self._goal, self._phase_goal = None, False
                self._go()
                self._answer(name, step)
            case "pause":
                self._pause(name)
            case "step":
                self._goal = min(step + command["count"], self._max_steps)
                self._pending.append((name, step))
                self._go()
            case "phase":
                self._phase_goal = True
                self._pending.append((name, step))
                self._go(phases=True)
            case "tune":
                self._tune(command)
                self._say(self._describe(self.state))
                self._answer(name, step)

    def _pause(self, name: str) -> None:
        if self.state is State.PAUSED:
            self._answer(name, self._observer.step)
            return
        is_between = self._observer.phase == "step"
        self._goal = self._observer.step + (0 if is_between else 1)
        self._pending.append((name, self._goal))

    def _tune(self, command: Mapping[str, Any]) -> None:
        if command.get("lr") is not None:
            self._set_lr(command["lr"])
        if "pace" in command:
            self.pace = command["pace"]

    def _go(self, phases: bool = False) -> None:
        self._observer.watch_phases(phases)
        self._due = time.monotonic()
        self._set(State.RUNNING)

    def _set(self, state: State) -> None:
        self.state = state
        if state is State.PAUSED and self._observer.phase != "step":
            self._show()
        self._say(self._describe(state))

    # -- answers

    def _answer(self, name: str, applied_at: int) -> None:
        self._say(
            {
                "kind": "answer",
                "id": name,
                "applied_at_step": applied_at,
                "state": self.state,
                "phase": self._observer.phase,
                "step": self._observer.step,
            }
        )

    def _answer_pending(self) -> None:
        for name, applied_at in self._pending:
            self._answer(name, applied_at)
        self._pending.clear()

    def _refuse(self, name: str, command: Mapping[str, Any]) -> None:
        self._say({"kind": "refusal", "id": name, "state": self.state, "command": command["kind"]})
