"""Watches a training loop through PyTorch's public hooks and writes one record a step.

Knows nothing of sockets, and nothing of the loop but its model, optimizer and loss function. The parameters stay
where PyTorch put them: packed into one buffer, they would be rounded differently.
"""

import time
from collections.abc import Callable, Sequence
from threading import Condition
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from livegrad.protocol import PHASE, RECORDS, Frame, Slot, columns_of

RING_ROWS = 256
_NAN = float("nan")
LossFn = Callable[[Tensor, Tensor], Tensor]
Floats = NDArray[np.float32]
_NOTHING: dict[str, Any] = {}


class Ring:
    """Record rows between the training thread, which fills them, and the link, which takes them out.

    Bounded: when every row is full, `claim` waits. That is how training waits for a link that cannot keep up.
    """

    def __init__(self, floats: int, rows: int) -> None:
        self.rows = torch.full(
            (rows + 1, floats), _NAN
        )  # the last row is for pictures of a half-done iteration
        self.array = self.rows.numpy()
        self.filled = 0  # records ever written; only the training thread changes it
        self.taken = 0  # records ever taken out; only the link changes it
        self.finished_at = 0.0  # unix time at which the last record was complete
        self._capacity = rows
        self._room = Condition()

    @property
    def spare(self) -> int:
        """Return the row for pictures."""
        return self._capacity

    @property
    def current(self) -> int:
        """Return the row that is being written."""
        return self.filled % self._capacity

    def finish(self) -> None:
        """Count the current row as a whole record."""
        self.finished_at = time.time()
        self.filled += 1

    def claim(self) -> int:
        """Return the row for the next record, waiting for the link while there is none."""
        if self.filled - self.taken >= self._capacity:
            with self._room:
                self._room.wait_for(lambda: self.filled - self.taken < self._capacity)
        return self.current

    def take(self) -> tuple[int, bytes, float]:
        """Return (how many, their bytes, unix time of the last) of the records not yet taken out."""
        finished_at, filled = self.finished_at, self.filled
        count = filled - self.taken
        start = self.taken % self._capacity
        end = start + count
        data = self.array[start : min(end, self._capacity)].tobytes()
        if end > self._capacity:
            data += self.array[: end - self._capacity].tobytes()
        with self._room:
            self.taken = filled
            self._room.notify()
        return count, data, finished_at


class Observer:
    """Turns what PyTorch does into records, and tells `on_phase` where the loop stands.

    The loop computes its loss with the observer's `loss_fn`, which is the given one, watched.

    `on_phase(phase)` is called in the training thread after each phase; it may hold the loop there. Phases inside an
    iteration are told only while `watch_phases(True)`; "step" always. Attach it once; `detach` undoes it.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        loss_fn: LossFn,
        slots: Sequence[Slot],
        on_phase: Callable[[str], None],
        first_step: int = 0,
        ring_rows: int = RING_ROWS,
    ) -> None:
        self.step = first_step  # completed optimizer updates
        self.phase = "step"  # the last phase completed
        self.grad_states: list[str] = []  # one per parameter, right at every phase told
        self._model, self._optimizer, self._compute_loss = model, optimizer, loss_fn
        self._slots = slots
        self._on_phase = on_phase
        named = list(model.named_parameters())
        self._parameters = [parameter for _, parameter in named]
        self._values = [_flat(parameter) for parameter in self._parameters]
        self._state: list[Floats] = []  # the optimizer's tensors, once it has made them
        self.columns = columns_of(((name, tuple(p.shape)) for name, p in named), slots)
        self.ring = Ring(sum(column.size for column in self.columns), ring_rows)
        self._gradient_rows = self._gradient_views()
        self._value_rows = list(self.ring.array[:, self._span("parameter")])
        self._state_rows = list(self.ring.array[:, self._span("state")])
        self.loss = _NAN  # last one computed on training points; NaN before the first
        self.validation_loss = _NAN  # last one computed without gradients, on validation points
        self._filled_in_this_iteration = True  # has backward() run since the last forward began?
        self._handles: list[RemovableHandle] = []
        self._phase_handles: list[RemovableHandle] = []

    def _span(self, role: str) -> slice:
        columns = [column for column in self.columns if column.role == role]
        return slice(columns[0].offset, columns[-1].offset + columns[-1].size) if columns else slice(0, 0)

    def _gradient_views(self) -> list[list[Tensor]]:
        # For each row its gradients as tensors of their own, so that one _foreach_copy_ fills them.
        rows = self.ring.rows
        columns = [column for column in self.columns if column.role == "gradient"]
        blocks = [rows[:, c.offset : c.offset + c.size].reshape(-1, *c.shape).unbind(0) for c in columns]
        return [list(row) for row in zip(*blocks, strict=True)]

    def attach(self) -> None:
        """Begin to watch."""
        self._handles = [
            self._optimizer.register_step_pre_hook(self._before_step),
            self._optimizer.register_step_post_hook(self._after_step),
        ]
        self.grad_states = self._grad_states()

    def detach(self) -> None:
        """Stop watching; the loop is as it was."""
        self.watch_phases(False)
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def watch_phases(self, wanted: bool) -> None:
        """Tell, or no longer tell, the phases inside an iteration."""
        if wanted and not self._phase_handles:
            hooks = torch.nn.modules.module
            self._phase_handles = [
                hooks.register_module_forward_pre_hook(self._before_forward),
                hooks.register_module_forward_hook(self._after_forward),
            ]
        elif not wanted:
            for handle in self._phase_handles:
                handle.remove()
            self._phase_handles = []

    # -- hooks, in the order in which a loop meets them; a hook returns None, or PyTorch would take its answer

    def _before_forward(self, module: nn.Module, args: Any) -> None:
        if module is not self._model or not torch.is_grad_enabled():
            return
        self._filled_in_this_iteration = False
        if all(parameter.grad is None for parameter in self._parameters):
            self._tell("zero_grad")

    def _after_forward(self, module: nn.Module, args: Any, output: Any) -> None:
        if module is self._model and torch.is_grad_enabled():
            self._tell("forward")

    def loss_fn(self, y_pred: Tensor, y: Tensor) -> Tensor:
        """Compute the loss with the function being watched, and note it. Shapes (points, 1) -> ()."""
        # A wrapper, not a forward hook: with hooks a module takes its slow path, 4 % of a whole step.
        loss = self._compute_loss(y_pred, y)
        if not loss.requires_grad:
            self.validation_loss = loss.item()
            return loss
        self.loss = loss.item()
        if self._phase_handles:
            self._tell("loss")
        return loss

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._filled_in_this_iteration = True
        if self._phase_handles:
            self._tell("backward")
        self._write_gradients(self.ring.claim())

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        ring = self.ring
        self._write_values(ring.current)
        self.step += 1
        ring.finish()
        self.phase = "step"
        self._on_phase("step")

    # -- what they write

    def _write_gradients(self, row: int) -> None:
        rows = self._gradient_rows[row]
        gradients = [grad for parameter in self._parameters if (grad := parameter.grad) is not None]
        if len(gradients) == len(rows):
            torch._foreach_copy_(rows, gradients)  # a third of the time that one copy each takes
            return
        for part, parameter in zip(rows, self._parameters, strict=True):
            part.fill_(_NAN) if parameter.grad is None else part.copy_(parameter.grad)

    def _write_values(self, row: int) -> None:
        np.concatenate(self._values, out=self._value_rows[row])
        if self._slots and not self._state:
            self._state = self._find_state()
        if self._state:
            np.concatenate(self._state, out=self._state_rows[row])
        scalars = self.ring.array[row]
        scalars[0] = self.loss
        scalars[1] = self.validation_loss
        scalars[2] = self._optimizer.param_groups[0]["lr"]

    def _find_state(self) -> list[Floats]:
        # The optimizer makes its tensors at its first update and then changes them in place.
        state = self._optimizer.state
        kept = [state.get(p, _NOTHING).get(slot.name) for slot in self._slots for p in self._parameters]
        return [] if any(value is None for value in kept) else [_flat(value) for value in kept]

    def write_initial(self) -> None:
        """Write record 0: the parameters before any update, no gradient, no loss."""
        row = self.ring.claim()
        self._write_gradients(row)
        self._write_values(row)
        self.ring.finish()

    def picture(self, epoch: int) -> Frame:
        """Return what `param`, `param.grad`, the loss and the optimizer's state are at this moment."""
        row = self.ring.spare
        self._write_gradients(row)
        self._write_values(row)
        return Frame(PHASE, 1, self.step, epoch, 0, time.time(), self.ring.array[row].tobytes())

    # -- words

    def _tell(self, phase: str) -> None:
        self.phase = phase
        self.grad_states = self._grad_states()
        self._on_phase(phase)

    def note_grad_states(self) -> None:
        """Bring `grad_states` up to date; the phases inside an iteration do so by themselves."""
        self.grad_states = self._grad_states()

    def _grad_states(self) -> list[str]:
        present = "fresh" if self._filled_in_this_iteration else "stale"
        return ["none" if parameter.grad is None else present for parameter in self._parameters]

    def recall(self, loss: float, validation_loss: float) -> None:
        """Take up the losses of the record that the run goes on from."""
        self.loss, self.validation_loss = loss, validation_loss


def _flat(tensor: Tensor) -> Floats:
    # The same memory, so that it need not be asked for again.
    return tensor.detach().view(-1).numpy()


def records_frame(count: int, data: bytes, last_step: int, epoch: int, finished_at: float) -> Frame:
    """Return `count` records ending with `last_step` as a frame."""
    return Frame(RECORDS, count, last_step - count + 1, epoch, 0, finished_at, data)
