"""Every script of every history is Python: it compiles, whatever was tuned, named and continued."""

import ast
import inspect
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.config import RunConfig
from livegrad.datasets import DATASETS
from livegrad.export.script import WIDTH, InitialState, Segment, write
from livegrad.protocol import Column, Slot, columns_of
from livegrad.training import data, network

SLOTS = {
    "sgd": ("momentum_buffer",),
    "adam": ("step", "exp_avg", "exp_avg_sq"),
    "rmsprop": ("square_avg",),
}
NASTY = (
    "\n",
    "\r",
    '"',
    "'",
    "\\",
    "\u2028",
    "\u2029",
    "\x0b",
    "\x0c",
    "\x85",
    "#",
    "{",
    "}",
    "%",
    '"""',
    "🦊",
    "\0",
)

names = st.one_of(
    st.text(min_size=1, max_size=80),
    st.lists(st.sampled_from(NASTY), min_size=1, max_size=26).map(
        lambda parts: "".join(parts)[:80]
    ),
    st.just("🦊" * 80),
    st.just("\n    import os\n"),
)
rates = st.floats(0, 1e6, allow_nan=False) | st.sampled_from([0.1, 1e-7, 1 / 3])
fractions = st.floats(0, 0.999)


@st.composite
def optimizers(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["sgd", "adam", "adamw", "rmsprop"]))
    own: dict[str, Any] = {"kind": kind, "lr": draw(rates), "weight_decay": draw(fractions)}
    if kind in ("adam", "adamw"):
        own |= {"betas": (draw(fractions), draw(fractions)), "amsgrad": draw(st.booleans())}
    if kind == "rmsprop":
        own |= {
            "alpha": draw(fractions),
            "centered": draw(st.booleans()),
            "eps": draw(st.just(1e-8)),
        }
    if kind in ("sgd", "rmsprop"):
        own |= {"momentum": draw(fractions)}
    return own


@st.composite
def configs(draw: st.DrawFn, hidden: int, named: bool) -> RunConfig:
    dataset = draw(st.sampled_from(sorted(DATASETS)))
    most = DATASETS[dataset].training_size
    return RunConfig.model_validate(
        {
            "name": draw(names),
            "dataset": dataset,
            "hidden": hidden,
            "named_layers": named,
            "activation": draw(st.sampled_from(["tanh", "sigmoid", "relu", "none"])),
            "optimizer": draw(optimizers()),
            "zero_grad": draw(st.booleans()),
            "seed": draw(st.integers(0, 2**53 - 1)),
            "data_seed": draw(st.none() | st.integers(0, 2**53 - 1)),
            "batch_size": draw(st.none() | st.integers(1, most)),
        }
    )


def columns(hidden: int, named: bool, config: RunConfig) -> tuple[Column, ...]:
    first, last = ("hidden_linear", "output_linear") if named else ("0", "2")
    shapes = [
        (f"{first}.weight", (hidden, 1)),
        (f"{first}.bias", (hidden,)),
        (f"{last}.weight", (1, hidden)),
        (f"{last}.bias", (1,)),
    ]
    slots = SLOTS.get(config.optimizer.kind, SLOTS["adam"])
    return columns_of(shapes, [Slot(slot, slot == "step") for slot in slots])


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Segment], InitialState | None]:
    hidden, named = draw(st.integers(1, 64)), draw(st.booleans())
    segments: list[Segment] = []
    after = start = draw(st.sampled_from([0, 0, 1, 250]))
    for number in range(draw(st.integers(1, 4))):
        config = draw(configs(hidden, named))
        last = after + draw(st.integers(1, 60))
        steps = draw(st.lists(st.integers(after + 1, last), max_size=40, unique=True))
        tuned = {step: draw(rates) for step in sorted(steps)}
        segments.append(
            Segment(f"{number:08x}", config, columns(hidden, named, config), after, last, tuned)
        )
        after = last
    if start == 0:
        return segments, None
    described = segments[0].columns
    size = sum(column.size for column in described)
    row = np.random.default_rng(draw(st.integers(0, 9))).normal(size=size).astype(np.float32)
    row[:: draw(st.integers(1, 5))] = draw(st.sampled_from([np.nan, np.inf, -np.inf, 0.0]))
    return segments, InitialState(start, row.tobytes(), described)


@settings(max_examples=150)
@given(histories())
def test_the_script_of_every_history_is_python(
    history: tuple[list[Segment], InitialState | None],
) -> None:
    segments, initial = history
    text = write(segments, initial, "2.13.0")
    compile(text, "script.py", "exec", dont_inherit=True)
    rates = [
        {ast.literal_eval(key): ast.literal_eval(value) for key, value in pairs(node.value)}
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "rates"
    ]
    told = {step: rate for each in rates for step, rate in each.items()}
    wanted = {step: rate for segment in segments for step, rate in segment.rates.items()}
    assert wanted.items() <= told.items()


def pairs(node: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    assert isinstance(node, ast.Dict)
    return [
        (key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None
    ]


def test_lines_are_of_a_width_to_read_however_much_was_tuned() -> None:
    config = RunConfig()
    tuned = {step: step / 7 for step in range(1, 60)}
    segment = Segment("00000000", config, columns(13, True, config), 0, 100, tuned)
    for line in write([segment], None, "2.13.0").splitlines():
        assert len(line) <= WIDTH


def test_the_script_has_the_code_that_trained_word_for_word() -> None:
    config = RunConfig(batch_size=4)
    text = write([Segment("00000000", config, (), 0, 100)], None, "2.13.0")
    for code in (network.build_network, data.as_column, data.split_points, data.Batches):
        assert inspect.getsource(code) in text
