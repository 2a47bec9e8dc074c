"""What the dashboard shows as the loop is the loop."""

from pathlib import Path

from livegrad.export.loop_source import loop_source
from livegrad.lifecycle.states import PHASES

LOOP = Path(__file__).parents[3] / "backend" / "livegrad" / "training" / "loop.py"


def test_the_lines_are_those_of_the_source() -> None:
    source = LOOP.read_text(encoding="utf-8")
    assert loop_source().lines[0].startswith("for step in steps:")
    for line in loop_source().lines:
        assert line in source


def test_each_phase_is_the_line_that_carries_it_out() -> None:
    shown = loop_source()
    words = {
        "zero_grad": "optimizer.zero_grad()",
        "forward": "model(x)",
        "loss": "loss_fn(y_pred, y)",
        "backward": "loss.backward()",
        "step": "optimizer.step()",
    }
    assert tuple(shown.phases) == PHASES
    assert list(shown.phases.values()) == sorted(shown.phases.values())
    for phase, word in words.items():
        assert word in shown.lines[shown.phases[phase]]
