"""Holds a screen and a REST snapshot to a plain PyTorch twin, number by number."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.browser.screen import Arrow, ParameterMark, Screen, number
from tests.browser.twin import Twin
from tests.plain import PHASES

LINES = {
    "zero_grad": "optimizer.zero_grad()",
    "forward": "y_pred = model(x)",
    "loss": "loss = loss_fn(y_pred, y)",
    "backward": "loss.backward()",
    "step": "optimizer.step()",
}
THREE_DIGITS = 6e-3
GREY = (0x8C, 0x95, 0xA1)  # --weight-zero of the light theme
FAINT = 1 / 120  # of the printed scale: so near to zero is grey


def elements(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every number by the name that PyTorch's own indexing gives it."""
    return {
        f"{name}[{', '.join(map(str, index))}]": value[index]
        for name, value in parameters.items()
        for index in itertools.product(*map(range, value.shape))
    }


def float32(text: str) -> float:
    return float(np.float32(text))


def assert_agree(screen: Screen, rest: dict[str, Any], twin: Twin) -> None:
    assert_rest_agrees(rest, twin)
    assert_values_agree(screen, twin)
    assert_gradient_arrows_agree(screen, twin)
    assert_change_arrows_agree(screen, twin)
    assert_table_agrees(screen, twin)
    assert_phase_agrees(screen, twin)
    assert_inspector_agrees(screen, twin)


def assert_rest_agrees(rest: dict[str, Any], twin: Twin) -> None:
    assert (rest["step"], rest["phase"]) == (twin.step, twin.phase)
    assert rest["loss"] == twin.last_loss
    assert [one["name"] for one in rest["parameters"]] == list(twin.parameters)
    for one in rest["parameters"]:
        gradient = twin.gradients[one["name"]]
        assert one["value"] == twin.parameters[one["name"]].tolist(), one["name"]
        assert one["grad"] == (None if gradient is None else gradient.tolist()), one["name"]
        assert one["grad_state"] == twin.grad_state


def assert_values_agree(screen: Screen, twin: Twin) -> None:
    truth = elements(twin.parameters)
    assert set(screen.edges) == {name for name in truth if ".weight" in name}
    assert set(screen.chips) == {name for name in truth if ".bias" in name}
    for name, value in truth.items():
        assert_shows(screen.parameter_marks[name], value.item())
    assert_colours_mean_it(list(screen.edges.values()), screen.bounds["weight"])
    assert_colours_mean_it(list(screen.chips.values()), screen.bounds["bias"])


def assert_shows(mark: ParameterMark, value: float) -> None:
    assert float32(mark.value) == value, mark.name
    assert mark.sign == ("positive" if value > 0 else "negative" if value < 0 else "zero"), mark
    assert mark.glyph == ("+" if value > 0 else "-" if value < 0 else ""), mark


def assert_colours_mean_it(parameter_marks: list[ParameterMark], bound: float) -> None:
    """Blue above zero, orange below; of one sign, the larger number is never paler nor thinner."""
    for mark in parameter_marks:
        assert hue(mark) == mark.sign or abs(float32(mark.value)) < bound * FAINT, mark
    for sign in ("positive", "negative"):
        ordered = sorted(
            (s for s in parameter_marks if s.sign == sign), key=lambda s: abs(float32(s.value))
        )
        for smaller, larger in itertools.pairwise(ordered):
            assert strength(smaller) <= strength(larger) + 2, (smaller, larger)
            assert (smaller.width or 0) <= (larger.width or 0), (smaller, larger)


def hue(mark: ParameterMark) -> str:
    red, _, blue = (channel - grey for channel, grey in zip(mark.colour, GREY, strict=True))
    return "positive" if blue > red else "negative" if red > blue else "zero"


def strength(mark: ParameterMark) -> float:
    return math.dist(mark.colour, GREY)


def assert_gradient_arrows_agree(screen: Screen, twin: Twin) -> None:
    gradients = {name: value for name, value in twin.gradients.items() if value is not None}
    downhill = {name: -gradient.item() for name, gradient in elements(gradients).items()}
    assert_arrows(screen.arrows["gradient"], downhill, screen.floors["gradient"])
    assert {arrow.state for arrow in screen.arrows["gradient"].values()} <= {twin.grad_state}


def assert_change_arrows_agree(screen: Screen, twin: Twin) -> None:
    is_known = twin.phase == "step" and twin.step > 0
    changes = {
        name: change.item() for name, change in elements(twin.changes if is_known else {}).items()
    }
    assert_arrows(screen.arrows["change"], changes, screen.floors["change"])
    truth = elements({n: g for n, g in twin.gradients.items() if g is not None}) if is_known else {}
    assert sorted(screen.against) == sorted(
        name for name, g in truth.items() if g.item() * changes[name] > 0
    )


def assert_arrows(arrows: dict[str, Arrow], truth: dict[str, float], floor: float) -> None:
    """Exactly where the number reaches the printed floor; up where it makes the parameter larger;
    never shorter.
    """
    assert set(arrows) == {name for name, value in truth.items() if abs(value) >= floor}
    for name, arrow in arrows.items():
        assert arrow.direction == arrow.drawn == ("up" if truth[name] > 0 else "down"), (
            arrow,
            truth[name],
        )
    ordered = sorted(arrows.values(), key=lambda arrow: abs(truth[arrow.name]))
    for smaller, larger in itertools.pairwise(ordered):
        assert smaller.length <= larger.length + 0.1, (smaller, larger)


def assert_table_agrees(screen: Screen, twin: Twin) -> None:
    rows = screen.raw["table"]
    assert [row["name"] for row in rows] == list(twin.parameters)
    for row in rows:
        value, gradient = twin.parameters[row["name"]], twin.gradients[row["name"]]
        assert row["shape"] == str(list(value.shape))
        assert number(row["value"]) == pytest.approx(
            torch.linalg.vector_norm(value).item(), rel=THREE_DIGITS
        )
        if gradient is None:
            assert row["grad"] == "None"
        else:
            norm = torch.linalg.vector_norm(gradient).item()
            assert number(row["grad"]) == pytest.approx(norm, rel=THREE_DIGITS)
            assert row["grad"].endswith(" stale") == (twin.grad_state == "stale")


def assert_phase_agrees(screen: Screen, twin: Twin) -> None:
    raw = screen.raw
    is_at_start = twin.step == 0 and twin.phase == "step"
    shown = raw["phases"]
    assert [text.split()[0] for text in shown] == list(PHASES)
    assert raw["phase"] == (None if is_at_start else shown[PHASES.index(twin.phase)])
    assert raw["line"] == (None if is_at_start else LINES[twin.phase])
    assert raw["step"].startswith(f"step {twin.step} ")
    if twin.last_loss is None or twin.phase in ("zero_grad", "forward"):  # not computed yet
        assert shown[2] == "loss"
    else:
        assert number(shown[2].removeprefix("loss ")) == pytest.approx(
            twin.last_loss, rel=THREE_DIGITS
        )


def assert_inspector_agrees(screen: Screen, twin: Twin) -> None:
    inspector = screen.raw["inspector"]
    name, facts = inspector["title"], inspector["facts"]
    if "[" not in name:
        return  # nothing is pinned
    parameter = name.partition("[")[0]
    assert float32(facts["value"]["exact"]) == elements(twin.parameters)[name].item()
    gradient = twin.gradients[parameter]
    if gradient is None:
        assert facts[".grad"]["text"] == "None"
    else:
        assert float32(facts[".grad"]["exact"]) == elements({parameter: gradient})[name].item()
        assert ("stale" in facts[".grad"]["note"]) == (twin.grad_state == "stale")
    if twin.step == 0:
        assert facts["Δ"]["text"] == "none"
    else:
        assert float32(facts["Δ"]["exact"]) == elements(twin.changes)[name].item()
        assert f"of update {twin.step}," in facts["Δ"]["note"]
