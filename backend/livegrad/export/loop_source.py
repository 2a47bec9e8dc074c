"""Reads the training loop's source as the dashboard shows it: its lines and the phase of each.

Imports no torch.
"""

import ast
import textwrap
from dataclasses import dataclass
from functools import cache

from livegrad.export.sources import source
from livegrad.lifecycle.states import PHASES

_CALLS = {
    "optimizer.zero_grad": "zero_grad",
    "model": "forward",
    "loss_fn": "loss",
    "loss.backward": "backward",
    "optimizer.step": "step",
}


@dataclass(frozen=True, slots=True)
class LoopSource:
    """The `lines` of the loop; `phases` maps each phase to its line, counted from 0."""

    lines: tuple[str, ...]
    phases: dict[str, int]


@cache
def loop_source() -> LoopSource:
    """Return the loop: the `for` statement of `training.loop.train`."""
    text = source("loop", "train")
    [function] = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    loop = next(node for node in function.body if isinstance(node, ast.For))
    assert loop.end_lineno is not None
    lines = text.splitlines()[loop.lineno - 1 : loop.end_lineno]
    phases: dict[str, int] = {}
    for node in ast.walk(loop):
        if isinstance(node, ast.Call) and (phase := _CALLS.get(ast.unparse(node.func))):
            line = node.lineno - loop.lineno
            phases[phase] = min(phases.get(phase, line), line)
    return LoopSource(
        tuple(textwrap.dedent("\n".join(lines)).splitlines()),
        {phase: phases[phase] for phase in PHASES},
    )
