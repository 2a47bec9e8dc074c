"""Observing a loop changes nothing in it, and what is written down is what PyTorch held."""

import copy
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from livegrad.config import RunConfig
from livegrad.protocol import grad_states_of
from livegrad.training import network, optimizers
from livegrad.training.data import Batches, split
from livegrad.training.loop import train
from livegrad.training.observer import Observer, Ring

CONFIGS: list[dict[str, Any]] = [
    {"optimizer": {"kind": "sgd", "momentum": 0.9, "nesterov": True}, "batch_size": 4},
    {"optimizer": {"kind": "adam", "amsgrad": True}, "activation": "relu", "dataset": "sine"},
    {"optimizer": {"kind": "adamw"}, "activation": "sigmoid", "zero_grad": False},
    {"optimizer": {"kind": "rmsprop", "momentum": 0.5, "centered": True}, "activation": "none"},
]


def built(**asked: Any) -> tuple[RunConfig, nn.Sequential, torch.optim.Optimizer]:
    torch.set_num_threads(1)
    config = RunConfig.model_validate(asked)
    model = network.build(config)
    return config, model, optimizers.build(config, model.parameters())


def run(
    config: RunConfig, model: nn.Module, optimizer: torch.optim.Optimizer, loss_fn: Any, steps: int
) -> None:
    points = split(config)
    batches = Batches(points.train, config.batch_size, config.seed)
    train(
        model, optimizer, loss_fn, batches, points.validation, range(1, steps + 1), config.zero_grad
    )


def observed(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    config: RunConfig,
    on_phase: Callable[[str], None] = lambda phase: None,
    rows: int = 512,
) -> Observer:
    observer = Observer(
        model, optimizer, nn.MSELoss(), optimizers.slots(config), on_phase, ring_rows=rows
    )
    observer.attach()
    return observer


def values(model: nn.Module) -> list[list[float]]:
    return [parameter.flatten().tolist() for parameter in model.parameters()]


@pytest.mark.parametrize("watches_phases", [False, True])
@pytest.mark.parametrize("asked", CONFIGS, ids=lambda asked: asked["optimizer"]["kind"])
def test_an_observed_loop_ends_with_the_unobserved_ones_parameters(
    asked: dict[str, Any], watches_phases: bool
) -> None:
    config, alone, optimizer = built(**asked)
    run(config, alone, optimizer, nn.MSELoss(), 300)
    config, watched, optimizer = built(**asked)
    observer = observed(watched, optimizer, config)
    observer.write_initial()
    observer.watch_phases(watches_phases)
    run(config, watched, optimizer, observer.loss_fn, 300)
    observer.detach()
    assert observer.step == 300
    assert values(watched) == values(alone)


def test_hooks_return_nothing_and_detach_leaves_none_behind() -> None:
    config, model, optimizer = built()
    observer = observed(model, optimizer, config)
    hooks = torch.nn.modules.module
    before = len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)
    observer.watch_phases(True)
    told = [
        *(hook(optimizer, (), {}) for hook in optimizer._optimizer_step_pre_hooks.values()),
        *(hook(optimizer, (), {}) for hook in optimizer._optimizer_step_post_hooks.values()),
        *(hook(model, ()) for hook in hooks._global_forward_pre_hooks.values()),
        *(hook(model, (), None) for hook in hooks._global_forward_hooks.values()),
    ]
    assert told == [None] * 4
    observer.detach()
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    assert (
        (len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)) == before == (0, 0)
    )
    run(config, model, optimizer, nn.MSELoss(), 1)
    assert observer.step == 1  # the hooks called above; not the loop after them


def test_an_observed_model_can_be_saved_and_copied() -> None:
    config, model, optimizer = built(optimizer={"kind": "adam"})
    observer = observed(model, optimizer, config)
    observer.watch_phases(True)
    run(config, model, optimizer, observer.loss_fn, 2)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    read_back = torch.load(file, weights_only=False)
    assert values(read_back) == values(model) == values(copy.deepcopy(model))
    torch.save(optimizer.state_dict(), io.BytesIO())
    observer.detach()


def written(observer: Observer, *roles: str) -> list[list[list[float]]]:
    """Take the one record written since, and return the columns of each role."""
    count, data, _ = observer.ring.take()
    assert count == 1
    record = np.frombuffer(data, np.float32)
    return [
        [record[c.offset : c.offset + c.size].tolist() for c in observer.columns if c.role == role]
        for role in roles
    ]


def test_the_gradients_written_are_those_applied_after_clipping() -> None:
    config, model, optimizer = built()
    observer = observed(model, optimizer, config)
    x, y = split(config).train
    for _ in range(3):
        optimizer.zero_grad()
        observer.loss_fn(model(x), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.01)
        clipped = [p.grad.flatten().tolist() for p in model.parameters() if p.grad is not None]
        optimizer.step()
        assert written(observer, "gradient", "parameter") == [clipped, values(model)]
    observer.detach()


def test_the_record_itself_tells_a_gradient_that_is_none_from_one_that_became_nan() -> None:
    config, model, optimizer = built()
    frozen = list(model.parameters())[1]
    frozen.requires_grad_(False)
    observer = observed(model, optimizer, config)
    x, y = split(config).train
    observer.loss_fn(model(x), y).backward()
    last = list(model.parameters())[3]
    assert last.grad is not None
    last.grad.fill_(float("nan"))
    optimizer.step()
    _, record, _ = observer.ring.take()
    row = np.frombuffer(record, np.float32)
    parts = [row[c.offset : c.offset + c.size] for c in observer.columns if c.role == "gradient"]
    assert [bool(np.isnan(part).all()) for part in parts] == [False, True, False, True]
    assert grad_states_of(1, record, observer.columns) == ["fresh", "none", "fresh", "fresh"]
    assert observer._grad_states() == ["fresh", "none", "fresh", "fresh"]


def test_before_the_first_backward_every_gradient_is_none() -> None:
    config, model, optimizer = built()
    observer = observed(model, optimizer, config)
    observer.write_initial()
    _, record, _ = observer.ring.take()
    without_step = grad_states_of(1, record, observer.columns)
    assert without_step == grad_states_of(0, record, observer.columns) == ["none"] * 4


Told = list[tuple[str, str]]


def told_by(
    loop: Callable[[nn.Module, torch.optim.Optimizer, Observer, Tensor, Tensor], None],
) -> Told:
    """Return what an observer tells of a loop.

    Phases, each with the state of the first gradient.
    """
    config, model, optimizer = built()
    told: Told = []
    observer = observed(
        model, optimizer, config, lambda phase: told.append((phase, observer._grad_states()[0]))
    )
    observer.watch_phases(True)
    loop(model, optimizer, observer, *split(config).train)
    observer.detach()
    return told


def test_a_textbook_loop_clears_computes_and_fills() -> None:
    def loop(
        model: nn.Module, optimizer: torch.optim.Optimizer, observer: Observer, x: Tensor, y: Tensor
    ) -> None:
        for _ in range(2):
            optimizer.zero_grad()
            observer.loss_fn(model(x), y).backward()
            optimizer.step()

    once = [
        ("zero_grad", "none"),
        ("forward", "none"),
        ("loss", "none"),
        ("backward", "fresh"),
        ("step", "fresh"),
    ]
    assert told_by(loop) == once * 2


def test_gradients_that_are_never_cleared_are_stale_from_the_next_forward_to_backward() -> None:
    def loop(
        model: nn.Module, optimizer: torch.optim.Optimizer, observer: Observer, x: Tensor, y: Tensor
    ) -> None:
        for _ in range(2):
            observer.loss_fn(model(x), y).backward()
            optimizer.step()

    second = told_by(loop)[-4:]
    assert second == [
        ("forward", "stale"),
        ("loss", "stale"),
        ("backward", "fresh"),
        ("step", "fresh"),
    ]


def test_gradients_set_to_zero_instead_of_none_are_there_and_stale() -> None:
    def loop(
        model: nn.Module, optimizer: torch.optim.Optimizer, observer: Observer, x: Tensor, y: Tensor
    ) -> None:
        for _ in range(2):
            optimizer.zero_grad(set_to_none=False)
            observer.loss_fn(model(x), y).backward()
            optimizer.step()

    second = told_by(loop)[-4:]
    assert second == [
        ("forward", "stale"),
        ("loss", "stale"),
        ("backward", "fresh"),
        ("step", "fresh"),
    ]


def test_a_forward_without_gradients_is_no_phase() -> None:
    def loop(
        model: nn.Module, optimizer: torch.optim.Optimizer, observer: Observer, x: Tensor, y: Tensor
    ) -> None:
        with torch.no_grad():
            observer.loss_fn(model(x), y)

    assert told_by(loop) == []


def test_another_model_in_the_same_process_is_not_watched() -> None:
    def loop(
        model: nn.Module, optimizer: torch.optim.Optimizer, observer: Observer, x: Tensor, y: Tensor
    ) -> None:
        other = nn.Linear(1, 1)
        nn.functional.mse_loss(other(x), y).backward()
        torch.optim.SGD(other.parameters()).step()

    assert told_by(loop) == []


def test_the_ring_hands_out_records_in_order_however_often_it_wraps() -> None:
    ring = Ring(4)
    seen: list[float] = []
    for number in range(23):
        ring.put(np.float32(number).tobytes())
        if number % 3 == 2:
            count, data, _ = ring.take()
            assert count == 3
            seen += np.frombuffer(data, np.float32).tolist()
    assert seen == list(range(21))


def test_a_full_ring_refuses_a_record_and_has_room_again_once_it_was_emptied() -> None:
    ring = Ring(8)
    for number in range(8):
        assert not ring.is_full
        ring.put(np.float32(number).tobytes())
    assert ring.is_full
    with pytest.raises(BufferError, match="all 8 places"):
        ring.put(b"0000")
    assert ring.take()[0] == 8
    ring.put(np.float32(8).tobytes())
    assert ring.take()[1] == np.float32(8).tobytes()


def test_a_ring_that_one_thread_fills_and_another_empties_loses_nothing() -> None:
    ring = Ring(8)
    seen: list[float] = []

    def write() -> None:
        for number in range(500):
            while ring.is_full:
                time.sleep(0)
            ring.put(np.float32(number).tobytes())

    writer = threading.Thread(target=write)
    writer.start()
    while len(seen) < 500:
        count, data, _ = ring.take()
        assert count <= 8
        seen += np.frombuffer(data, np.float32).tolist()
    writer.join()
    assert seen == list(range(500))


def test_numbers_that_a_record_cannot_hold_uncast_are_refused() -> None:
    model = nn.Linear(1, 1, dtype=torch.float64)
    with pytest.raises(TypeError, match=r"expected float32, received torch\.float64"):
        Observer(model, torch.optim.SGD(model.parameters()), nn.MSELoss(), [], lambda phase: None)
