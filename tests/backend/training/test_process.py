"""A trainer says how it ended, and takes up a record bit for bit."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from livegrad.assignment import Address, Assignment, Origin
from livegrad.config import RunConfig
from livegrad.protocol import Frame, decode
from livegrad.training.process import Trainer


class Hub:
    """A server that takes everything in and acknowledges it."""

    def __init__(self, stops_after: int | None = None) -> None:
        self.frames: list[Frame] = []
        self.messages: list[dict[str, Any]] = []
        self._seq = 0
        self._stops_after = stops_after

    def handle(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            self.messages.append(json.loads(socket.recv()))
            socket.send('{"kind": "welcome", "step": -1, "seq": 0}')
            while True:
                self._take(socket, socket.recv())

    def _take(self, socket: ServerConnection, data: str | bytes) -> None:
        self._seq += 1
        socket.send(json.dumps({"kind": "ack", "step": 0, "seq": self._seq}))
        if isinstance(data, str):
            self.messages.append(json.loads(data))
            return
        self.frames.append(frame := decode(data))
        if self._stops_after is not None and frame.last >= self._stops_after:
            socket.send('{"kind": "stop"}')

    def records(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        payload = b"".join(frame.payload for frame in self.frames)
        return np.frombuffer(payload, np.float32).reshape(sum(f.count for f in self.frames), -1)


@contextmanager
def at(hub: Hub) -> Iterator[Address]:
    with serve(hub.handle, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Address(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/", "secret", 1)
        server.shutdown()


def assignment(address: Address, origin: Origin | None = None, **asked: Any) -> Assignment:
    config = RunConfig.model_validate(asked)
    return Assignment(address, config.model_dump_json(), None, origin, plays=True)


def trained(origin: Origin | None = None, **asked: Any) -> tuple[Hub, Trainer]:
    torch.set_num_threads(1)
    hub = Hub()
    with at(hub) as address:
        trainer = Trainer(assignment(address, origin, **asked))
        trainer.run()
        trainer.observer.detach()
    return hub, trainer


def test_a_run_to_its_end_sends_every_record_and_says_finished() -> None:
    hub, _ = trained(max_steps=40)
    assert hub.frames[0].first == 0
    assert hub.frames[-1].last == 40
    assert hub.messages[0]["kind"] == "hello"
    assert hub.messages[-1]["state"] == "finished"
    rows = hub.records()
    assert len(rows) == 41
    assert np.isnan(rows[0, :2]).all()
    assert np.isfinite(rows[1:]).all()


def test_an_error_in_training_is_told_with_its_reason_and_ends_the_process_with_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = Hub()
    with at(hub) as address:
        trainer = Trainer(assignment(address, max_steps=40))
        compute = trainer.observer._compute_loss
        calls: list[int] = []

        def breaks(y_pred: Tensor, y: Tensor) -> Tensor:
            calls.append(1)
            if len(calls) > 20:
                raise RuntimeError("the disk with the data is gone")
            return compute(y_pred, y)

        monkeypatch.setattr(trainer.observer, "_compute_loss", breaks)
        with pytest.raises(SystemExit) as ended:
            trainer.run()
        trainer.observer.detach()
    assert ended.value.code == 1
    assert hub.messages[-1]["kind"] == "failed"
    assert "RuntimeError: the disk with the data is gone" in hub.messages[-1]["reason"]
    assert hub.frames[-1].last == 10  # the history up to there was sent


def test_stop_ends_it_quietly_with_everything_sent() -> None:
    hub = Hub(stops_after=5)
    with at(hub) as address:
        trainer = Trainer(assignment(address, max_steps=10_000_000))
        trainer.run()
        trainer.observer.detach()
    assert hub.frames[-1].last == trainer.observer.step
    assert not [message for message in hub.messages if message["kind"] == "failed"]


RESUMED: list[dict[str, Any]] = [
    {"optimizer": {"kind": "sgd", "lr": 0.001, "momentum": 0.9}, "batch_size": 4},
    {"optimizer": {"kind": "adam", "amsgrad": True}, "batch_size": 2},
    {"optimizer": {"kind": "rmsprop", "lr": 0.001, "momentum": 0.5, "centered": True}},
    {"optimizer": {"kind": "sgd", "lr": 1e-5}, "zero_grad": False},
]


@pytest.mark.parametrize("asked", RESUMED, ids=lambda asked: asked["optimizer"]["kind"])
@pytest.mark.parametrize("step", [0, 1, 17])
def test_taken_up_at_any_record_it_goes_on_bit_for_bit(asked: dict[str, Any], step: int) -> None:
    whole, trainer = trained(**asked, max_steps=30)
    record = whole.records()[step].tobytes()
    lr = trainer.optimizer.param_groups[0]["lr"]
    origin = Origin(step, record, trainer.observer.columns, lr, is_own=True)
    rest, _ = trained(origin, **asked, max_steps=30)
    assert rest.frames[0].first == step + 1
    assert rest.records().tobytes() == whole.records()[step + 1 :].tobytes()
