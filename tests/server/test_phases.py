"""Phase by phase, REST and the stream hold what a plain PyTorch loop stopped at the same place
holds.
"""

from typing import Any

import pytest

from tests.plain import PHASES, Plain
from tests.running import Server
from tests.viewer import PHASE, Seen, Viewer, viewing

ASKED: list[dict[str, Any]] = [
    {},
    {"optimizer": {"kind": "adam", "lr": 0.01}, "batch_size": 2, "activation": "relu", "seed": 4},
    {
        "optimizer": {"kind": "sgd", "lr": 1e-4, "momentum": 0.9},
        "zero_grad": False,
        "named_layers": False,
    },
]


def plain_of(server: Server, asked: dict[str, Any]) -> Plain:
    return Plain(asked, next(d for d in server.get("/datasets") if d["name"] == "temperature"))


def state_of_gradients(plain: Plain) -> str:
    if all(parameter.grad is None for parameter in plain.model.parameters()):
        return "none"
    return "stale" if plain.phase in ("forward", "loss") else "fresh"


def assert_agrees(server: Server, run: str, plain: Plain) -> None:
    snapshot = server.get(f"/runs/{run}/parameters")
    assert (snapshot["step"], snapshot["phase"]) == (plain.step, plain.phase)
    assert snapshot["loss"] == (plain.loss if plain.loss == plain.loss else None)
    named = list(plain.model.named_parameters())
    assert [p["name"] for p in snapshot["parameters"]] == [name for name, _ in named]
    for told, (_, parameter) in zip(snapshot["parameters"], named, strict=True):
        assert told["value"] == parameter.tolist()
        assert told["grad"] == (None if parameter.grad is None else parameter.grad.tolist())
        assert told["grad_state"] == state_of_gradients(plain)


def assert_stream_agrees(viewer: Viewer, plain: Plain) -> None:
    """The newest frame is the picture (or record) of this moment.

    The newest state says the same phase.
    """
    wanted = state_of_gradients(plain)

    def is_it(message: Any) -> bool:
        is_state = isinstance(message, dict) and message["kind"] == "state"
        return is_state and (message["state"], message["phase"], message["step"]) == (
            "paused",
            plain.phase,
            plain.step,
        )

    event = viewer.take_until(is_it)
    assert isinstance(event, dict)
    assert event["grad_states"] == [wanted] * 4
    if plain.phase != "step":
        frame = viewer.frames[-1]
        assert (frame.kind, frame.first, frame.count) == (PHASE, plain.step, 1)
        assert frame.payload == plain.record(viewer.columns)
    else:
        assert viewer.records()[plain.step] == plain.record(viewer.columns)


@pytest.mark.parametrize("asked", ASKED, ids=["default", "adam", "uncleared"])
def test_every_phase_is_what_plain_pytorch_holds_there(
    server: Server, asked: dict[str, Any]
) -> None:
    run = server.create(**asked, pace=None)
    plain = plain_of(server, asked)
    phases = PHASES if asked.get("zero_grad", True) else PHASES[1:]  # no line clears: no such phase
    with viewing(server, run) as viewer:
        viewer.take_until(lambda message: isinstance(message, Seen))
        assert_agrees(server, run, plain)
        for phase in phases * 3:
            answer = server.command(run, "phase")
            if phase == "forward" and "zero_grad" not in phases:
                plain.go("zero_grad")  # takes the batch; clears nothing
            plain.go(phase)
            assert (answer["phase"], answer["step"], answer["state"]) == (
                phase,
                plain.step,
                "paused",
            )
            assert_agrees(server, run, plain)
            assert_stream_agrees(viewer, plain)
    server.client.delete(f"/api/runs/{run}")


def test_gradients_that_are_not_cleared_are_stale_at_the_next_forward(server: Server) -> None:
    run = server.create(zero_grad=False, pace=None)
    told = []
    for _ in range(8):
        server.command(run, "phase")
        snapshot = server.get(f"/runs/{run}/parameters")
        told.append((snapshot["phase"], snapshot["parameters"][0]["grad_state"]))
    once = [("loss", "none"), ("backward", "fresh"), ("step", "fresh")]
    again = [("forward", "stale"), ("loss", "stale"), ("backward", "fresh"), ("step", "fresh")]
    assert told == [("forward", "none"), *once, *again]
    server.client.delete(f"/api/runs/{run}")


@pytest.mark.parametrize("phases", [1, 2, 3, 4])
def test_a_step_from_the_middle_of_an_iteration_begins_with_the_rest_of_it(
    server: Server, phases: int
) -> None:
    run = server.create(batch_size=3, pace=None)
    plain = plain_of(server, {"batch_size": 3})
    for phase in PHASES[:phases]:
        server.command(run, "phase")
        plain.go(phase)
    answer = server.command(run, "step", count=3)
    assert (answer["applied_at_step"], answer["step"], answer["phase"]) == (0, 3, "step")
    plain.iterate(3)
    assert_agrees(server, run, plain)
    server.client.delete(f"/api/runs/{run}")


def test_a_viewer_who_comes_in_the_middle_of_an_iteration_gets_its_picture(server: Server) -> None:
    run = server.create(pace=None)
    plain = plain_of(server, {})
    server.command(run, "step")
    plain.iterate()
    for phase in PHASES[:4]:
        server.command(run, "phase")
        plain.go(phase)
    with viewing(server, run) as viewer:
        assert viewer.hello["run"]["phase"] == "backward"
        assert viewer.hello["run"]["grad_states"] == ["fresh"] * 4
        frame = viewer.take_until(
            lambda message: isinstance(message, Seen) and message.kind == PHASE
        )
        assert isinstance(frame, Seen)
        assert frame.payload == plain.record(viewer.columns)
    server.client.delete(f"/api/runs/{run}")


def test_training_goes_on_from_the_middle_of_an_iteration_as_if_never_held(server: Server) -> None:
    run = server.create(max_steps=50, pace=None)
    for _ in range(7):
        server.command(run, "phase")
    server.command(run, "play")
    server.wait(run, "finished")
    plain = plain_of(server, {})
    plain.iterate(50)
    told = server.get(f"/runs/{run}/parameters", params={"step": 50})["parameters"]
    assert [p["value"] for p in told] == [p.tolist() for p in plain.model.parameters()]
    server.client.delete(f"/api/runs/{run}")
