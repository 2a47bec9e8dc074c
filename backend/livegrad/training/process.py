"""A trainer's entry point: builds what the configuration describes, and runs the loop.

Knows nothing of the server but its address.
"""

import gc
import os
import traceback
from collections import deque
from typing import Any

import numpy as np
import torch
from torch import nn

from livegrad.assignment import Assignment, Origin
from livegrad.config import RunConfig
from livegrad.lifecycle.states import State
from livegrad.protocol import SCALARS, Column, grad_states_of, plain_number
from livegrad.training import network, optimizers
from livegrad.training.control import Control, Message, Stopped
from livegrad.training.data import Batches, split
from livegrad.training.link import Link
from livegrad.training.loop import train
from livegrad.training.observer import Observer
from livegrad.training.task_process import is_trouble

FLUSH_SECS = 5.0
COMMANDS_KNOWN = 1000  # more than can wait at once


def main(assignment: Assignment) -> None:
    """Train as assigned until finished or stopped. This is the process's whole life."""
    torch.set_num_threads(1)
    gc.freeze()  # memory that was allocated before the fork stays shared
    Trainer(assignment).run()


class Trainer:
    """One run's model, optimizer, observer, control and link."""

    def __init__(self, assignment: Assignment) -> None:
        self.config = config = RunConfig.model_validate_json(assignment.config)
        self._epoch = assignment.address.epoch
        self._origin = origin = assignment.origin
        self._assignment = assignment
        self._commands_seen: deque[str] = deque(maxlen=COMMANDS_KNOWN)  # ids of the newest commands
        self._first_step = origin.step if origin else 0
        self.points = split(config)
        self.model = network.build(config)
        self.optimizer = optimizers.build(config, self.model.parameters())
        slots = optimizers.slots(config)
        self.observer = Observer(
            self.model, self.optimizer, nn.MSELoss(), slots, self._at_boundary, self._first_step
        )
        if origin is not None:
            restore(self.model, self.optimizer, self.observer.columns, origin)
            self.observer.recall(*np.frombuffer(origin.record, np.float32, len(SCALARS)).tolist())
        self.link = Link(
            assignment.address,
            self.observer.ring,
            self._first_step + (1 if origin and origin.is_own else 0),
            self._greeting(),
            self._on_message,
            self._on_server_gone,
        )
        self.control = Control(
            self.observer,
            config.max_steps,
            assignment.pace,
            self.link.say,
            lambda: self.link.show(self.observer.picture(self._epoch)),
            self._describe,
            self._set_lr,
            self.link.wait_for,
        )

    def run(self) -> None:
        """Run the loop to its end and report how it ended."""
        self.observer.attach()
        self.link.start()
        if self._origin is None or not self._origin.is_own:
            self.observer.write_initial()
        try:
            self.control.begin(self._assignment.plays, self._assignment.goal)
            self._train()
            self.control.finish()
        except Stopped:
            pass
        except Exception as error:
            # trouble (no memory, no thread) is not the run's fault; the exit code reports it
            if not is_trouble(error):
                self.link.say({"kind": "failed", "reason": _in_words(error)})
            self.link.close(FLUSH_SECS)
            raise SystemExit(1) from error
        self.link.close(FLUSH_SECS)

    def _train(self) -> None:
        config = self.config
        seed = config.seed if config.data_seed is None else config.data_seed
        batches = Batches(self.points.train, config.batch_size, seed)
        steps = range(self._first_step + 1, config.max_steps + 1)
        loss_fn = self.observer.loss_fn
        train(
            self.model,
            self.optimizer,
            loss_fn,
            batches,
            self.points.validation,
            steps,
            config.zero_grad,
        )

    def _at_boundary(self, phase: str) -> None:
        if phase == "step":
            self.link.tend(self.control.poll)
        elif phase == "zero_grad" and not self.config.zero_grad:
            # At the first step there is nothing to clear, and without zero_grad no line that clears
            # it.
            return
        self.control.boundary(phase)

    def _on_message(self, message: Message) -> None:
        match message["kind"]:
            case "command":
                self._take_command(message["id"], message["command"])
            case "stop":
                self.control.stop()

    def _take_command(self, name: str, command: Message) -> None:
        # After a reconnect a command is sent again, since either the command or its answer may have
        # been lost.
        if name not in self._commands_seen:
            self._commands_seen.append(name)
            self.control.submit(name, command)

    def _on_server_gone(self) -> None:
        # training may be waiting for the link, so no other thread would end the process
        os._exit(1)

    def _set_lr(self, lr: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def _greeting(self) -> Message:
        return {
            "kind": "hello",
            "version": 1,
            "epoch": self._epoch,
            "pid": os.getpid(),
            "columns": [column.as_json() for column in self.observer.columns],
            "data": self.points.as_json(),
        }

    def _describe(self, state: State) -> Message:
        observer = self.observer
        observer.note_grad_states()
        return {
            "kind": "state",
            "state": state,
            "phase": observer.phase,
            "step": observer.step,
            "loss": plain_number(observer.loss),
            "validation_loss": plain_number(observer.validation_loss),
            "lr": self.optimizer.param_groups[0]["lr"],
            "pace": self.control.pace,
            "goal": self.control.goal,
            "grad_states": observer.grad_states,
        }


def _in_words(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} (in {last.name}, line {last.lineno})"


def restore(
    model: nn.Module, optimizer: torch.optim.Optimizer, columns: tuple[Column, ...], origin: Origin
) -> None:
    """Restore parameters, gradients, optimizer state and learning rate bit for bit.

    `columns` are those of the new run. If its optimizer keeps other state than the record's did, it
    starts without state.
    """
    record = torch.from_numpy(np.frombuffer(origin.record, np.float32).copy())
    named = dict(model.named_parameters())
    has_state = origin.step > 0 and origin.columns == columns and _has_state(record, columns)
    state: dict[str, dict[str, Any]] = {name: {} for name in named}
    grad_states = dict(
        zip(named, grad_states_of(origin.step, origin.record, origin.columns), strict=True)
    )
    with torch.no_grad():
        for column in origin.columns:
            kept = record[column.offset : column.offset + column.size].reshape(column.shape).clone()
            match column.role:
                case "parameter":
                    named[column.name].copy_(kept)
                case "gradient" if grad_states[column.name] != "none":
                    named[column.name].grad = kept
                case "state" if has_state:
                    state[column.name][str(column.slot)] = kept
                case _:
                    pass
    for name, slots in state.items():
        if slots:
            optimizer.state[named[name]] = slots
    for group in optimizer.param_groups:
        group["lr"] = origin.lr


def _has_state(record: torch.Tensor, columns: tuple[Column, ...]) -> bool:
    # If all are NaN, the optimizer was new at that step and had no state yet.
    spans = [record[c.offset : c.offset + c.size] for c in columns if c.role == "state"]
    return not all(bool(span.isnan().all()) for span in spans)


def warm_up() -> None:
    """Take one observed step with each optimizer.

    A process forked from here then starts in milliseconds.
    """
    torch.set_num_threads(1)
    for kind in optimizers.KINDS:
        config = RunConfig.model_validate(
            {"optimizer": {"kind": kind}, "max_steps": 1, "batch_size": 2}
        )
        points = split(config)
        model = network.build(config)
        optimizer = optimizers.build(config, model.parameters())
        observer = Observer(
            model,
            optimizer,
            nn.MSELoss(),
            optimizers.slots(config),
            lambda phase: None,
            ring_rows=2,
        )
        observer.attach()
        observer.write_initial()
        observer.watch_phases(True)
        batches = Batches(points.train, 2, 0)
        train(model, optimizer, observer.loss_fn, batches, points.validation, range(1, 2))
        observer.picture(0)
        observer.ring.take()
        observer.detach()
    gc.collect()
    gc.freeze()
