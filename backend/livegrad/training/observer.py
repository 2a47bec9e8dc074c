"""Watches a training loop through PyTorch's public hooks and writes one record per step.

Knows nothing of sockets, and of the loop only its model, optimizer and loss function. The
parameters stay where PyTorch put them: packed into one buffer, they would be rounded differently.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from livegrad.protocol import (
    NO_GRADIENT_BITS,
    PHASE,
    RECORDS,
    SCALARS,
    Frame,
    GradState,
    Slot,
    columns_of,
)

RING_ROWS = 256
_NAN = float("nan")
_SCALARS = Struct(f"<{len(SCALARS)}f")
LossFn = Callable[[Tensor, Tensor], Tensor]
_NOTHING: dict[str, Any] = {}


class Ring:
    """A bounded buffer of records: the observer adds them, the link removes them.

    The training thread lets the link make room before the next step. One thread may add while
    another removes.
    """

    def __init__(self, rows: int) -> None:
        self.finished_at = 0.0  # unix time at which the last record was complete
        self._capacity = rows
        self._records: deque[bytes] = deque()

    def __len__(self) -> int:
        return len(self._records)

    @property
    def is_full(self) -> bool:
        """Return whether there is no room for another record."""
        return len(self._records) >= self._capacity

    def put(self, record: bytes) -> None:
        """Add a whole record. Raises BufferError when there is no room."""
        if len(self._records) >= self._capacity:
            raise BufferError(
                f"expected room for a record, found all {self._capacity} places taken"
            )
        self._records.append(record)
        self.finished_at = time.time()

    def take(self) -> tuple[int, bytes, float]:
        """Remove all records; return (how many, their bytes, unix time of the last)."""
        finished_at, count = self.finished_at, len(self._records)
        return count, b"".join([self._records.popleft() for _ in range(count)]), finished_at


class Observer:
    """Turns what PyTorch does into records, and reports the loop's phases to `on_phase`.

    The loop computes its loss with the observer's `loss_fn`, which wraps the given one.

    `on_phase(phase)` is called in the training thread after each phase; it may hold the loop there.
    Phases inside an iteration are reported only after `watch_phases(True)`, "step" always. Attach
    it once; `detach` undoes that.
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
        # one per parameter, up to date at every reported phase
        self.grad_states: list[GradState] = []
        self._model, self._optimizer, self._compute_loss = model, optimizer, loss_fn
        self._slots = slots
        self._on_phase = on_phase
        named = list(model.named_parameters())
        self._parameters = [parameter for _, parameter in named]
        self.columns = columns_of(((name, tuple(p.shape)) for name, p in named), slots)
        self.ring = Ring(ring_rows)
        # The gradients as last applied: copies, each in the shape of its parameter.
        self._gradients = [_no_gradient(parameter) for parameter in self._parameters]
        # A record's parts after the scalars: the memory in which PyTorch, or this observer, keeps
        # them.
        self._parts = [_memory_of(tensor) for tensor in (*self._parameters, *self._gradients)]
        self._state: list[memoryview | bytes] = [self._no_state()]
        self._has_state = not slots  # whether the optimizer has created its tensors, or keeps none
        self.loss = _NAN  # the last one computed on training points; NaN before the first
        self.validation_loss = _NAN  # the last one computed without gradients, on validation points
        # whether backward() has run since the last forward began
        self._filled_in_this_iteration = True
        self._recalled_lr: float | None = None
        self._handles: list[RemovableHandle] = []
        self._phase_handles: list[RemovableHandle] = []

    def _no_state(self) -> bytes:
        size = sum(column.size for column in self.columns if column.role == "state")
        return np.full(size, _NAN, np.float32).tobytes()

    def attach(self) -> None:
        """Start to watch."""
        self._handles = [
            self._optimizer.register_step_pre_hook(self._before_step),
            self._optimizer.register_step_post_hook(self._after_step),
        ]
        self.grad_states = self._grad_states()

    def detach(self) -> None:
        """Stop watching; the loop is then as before."""
        self.watch_phases(False)
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def watch_phases(self, wanted: bool) -> None:
        """Report the phases inside an iteration, or stop reporting them."""
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

    # -- hooks, in the order in which a loop meets them; a hook returns None, since PyTorch would
    # use another value

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
        """Compute the loss with the wrapped function and store it. Shapes (points, 1) -> ()."""
        # A wrapper, not a forward hook: a module with hooks takes a slower path, which costs 4 % of
        # a step.
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
        self._copy_gradients()

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self.ring.put(self._record())
        self.step += 1
        self.phase = "step"
        self._on_phase("step")

    # -- records

    def _copy_gradients(self) -> None:
        gradients = [grad for parameter in self._parameters if (grad := parameter.grad) is not None]
        if len(gradients) == len(self._gradients):
            # takes a third of the time of single copies
            torch._foreach_copy_(self._gradients, gradients)
            return
        for copy, parameter in zip(self._gradients, self._parameters, strict=True):
            copy.copy_(_no_gradient(parameter) if parameter.grad is None else parameter.grad)

    def _record(self, lr: float | None = None) -> bytes:
        # bytes.join reads the tensors' memory directly, in a fifth of the time that numpy takes to
        # write a row.
        if not self._has_state:
            self._find_state()
        if lr is None:
            lr = self._optimizer.param_groups[0]["lr"]
        scalars = _SCALARS.pack(self.loss, self.validation_loss, lr)
        return b"".join((scalars, *self._parts, *self._state))

    def _find_state(self) -> None:
        # The optimizer creates its tensors at its first update and then changes them in place.
        state = self._optimizer.state
        kept = [
            state.get(p, _NOTHING).get(slot.name) for slot in self._slots for p in self._parameters
        ]
        if all(value is not None for value in kept):
            self._state = [_memory_of(value) for value in kept]
            self._has_state = True

    def write_initial(self) -> None:
        """Write the first record: the state from which the run goes on, before its first update.

        At step 0 there is no gradient and no loss. After `recall`, the losses and the learning rate
        are those of the iteration that led to the state.
        """
        self._copy_gradients()
        self.ring.put(self._record(self._recalled_lr))

    def picture(self, epoch: int) -> Frame:
        """Return a frame of the present `param`, `param.grad`, loss and optimizer state."""
        self._copy_gradients()
        return Frame(PHASE, 1, self.step, epoch, 0, time.time(), self._record())

    # -- states

    def _tell(self, phase: str) -> None:
        self.phase = phase
        self.grad_states = self._grad_states()
        self._on_phase(phase)

    def note_grad_states(self) -> None:
        """Bring `grad_states` up to date. The phases inside an iteration do so by themselves."""
        self.grad_states = self._grad_states()

    def _grad_states(self) -> list[GradState]:
        present: GradState = "fresh" if self._filled_in_this_iteration else "stale"
        return ["none" if parameter.grad is None else present for parameter in self._parameters]

    def recall(self, loss: float, validation_loss: float, lr: float) -> None:
        """Set the scalars of the first record to those of the record from which the run continues.

        Update k of the parent used `lr`; the run's own rate, from update k + 1 on, may be another.
        """
        self.loss, self.validation_loss = loss, validation_loss
        self._recalled_lr = lr if self.step > 0 else None


def _no_gradient(parameter: Tensor) -> Tensor:
    return torch.full_like(parameter, NO_GRADIENT_BITS, dtype=torch.int32).view(torch.float32)


def _memory_of(tensor: Tensor) -> memoryview:
    if tensor.dtype is not torch.float32:
        raise TypeError(
            f"expected float32, received {tensor.dtype}: records hold PyTorch's values without "
            "conversion"
        )
    return tensor.detach().view(-1).numpy().data


def records_frame(count: int, data: bytes, last_step: int, epoch: int, finished_at: float) -> Frame:
    """Return `count` records ending with `last_step` as a frame."""
    return Frame(RECORDS, count, last_step - count + 1, epoch, 0, finished_at, data)
