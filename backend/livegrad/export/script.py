"""Writes a run as a stand-alone PyTorch script that reproduces the same numbers.

PURE; no torch, no log.

The script of a continued run begins with its first ancestor, with one segment per run; if an
ancestor was deleted, it begins with the numbers that the run started from. Text typed by a user
enters the script only as a Python literal.
"""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from livegrad.config import RunConfig
from livegrad.datasets import DATASETS, Dataset
from livegrad.export.sources import class_names, source
from livegrad.protocol import Column, grad_states_of

WIDTH = 110
_UNTOUCHED = {
    "name",
    "pace",
    "max_steps",
    "seed",
    "data_seed",
}  # these settings change no number, or `trains_like` compares their effect


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of one run in the lineage: the steps after `after` up to `last`, as `config` says.

    `rates` are the tuned learning rates, by the first step at which each applies.
    """

    run: str
    config: RunConfig
    columns: tuple[Column, ...]
    after: int
    last: int
    rates: dict[int, float] = field(default_factory=dict)

    def trains_like(self, other: "Segment") -> bool:
        """Return whether both compute the same at every step, apart from the learning rate."""
        return self._training_settings() == other._training_settings()

    def _training_settings(self) -> dict[str, Any]:
        config = self.config
        settings = config.model_dump(exclude=_UNTOUCHED)
        settings["optimizer"].pop("lr")
        settings["split"] = config.seed
        settings["order"] = None if config.batch_size is None else order_seed(config)
        return settings

    def rate_at_end(self) -> float:
        """Return the learning rate in force after the last step."""
        tuned = [step for step in self.rates if step <= self.last]
        return self.rates[max(tuned)] if tuned else self.config.optimizer.lr


@dataclass(frozen=True, slots=True)
class InitialState:
    """The first record of a lineage whose real beginning no longer exists."""

    step: int
    record: bytes
    columns: tuple[Column, ...]


def order_seed(config: RunConfig) -> int:
    """Return the seed of the batches' order."""
    return config.seed if config.data_seed is None else config.data_seed


def write(segments: Sequence[Segment], initial: InitialState | None, torch_version: str) -> str:
    """Return the script of a lineage, oldest run first.

    `initial` is given if the oldest run did not begin with its seed.
    """
    return _Writer(_merged(segments), initial, torch_version).text()


def _merged(segments: Sequence[Segment]) -> list[Segment]:
    # A run that was continued unchanged is one training; a new learning rate then counts as tuned.
    merged = [segments[0]]
    for segment in segments[1:]:
        before = merged[-1]
        if not before.trains_like(segment):
            merged.append(segment)
            continue
        rates = {step: rate for step, rate in before.rates.items() if step <= before.last}
        if before.rate_at_end() != segment.config.optimizer.lr:
            rates[segment.after + 1] = segment.config.optimizer.lr
        merged[-1] = replace(
            before, run=segment.run, last=segment.last, rates=rates | segment.rates
        )
    return merged


class _Writer:
    """A script while it is written."""

    def __init__(
        self, segments: Sequence[Segment], initial: InitialState | None, torch_version: str
    ) -> None:
        self._segments = segments
        self._initial = initial
        self._torch = torch_version
        self._first, self._last = segments[0], segments[-1]
        self._takes_batches = any(segment.config.batch_size is not None for segment in segments)
        self._tunes = any(segment.rates for segment in segments)
        self._zeroes = {segment.config.zero_grad for segment in segments}

    def text(self) -> str:
        sets = dict.fromkeys(segment.config.dataset for segment in self._segments)
        parts = [
            self._head(),
            *(_points(DATASETS[name]) for name in sets),
            *([_initial(self._initial)] if self._initial else []),
            f"{source('network', 'ACTIVATIONS')}\n",
            *self._sources(),
            *([_RESTORE] if self._initial else []),
            self._train(),
            self._main(),
            'if __name__ == "__main__":\n    main()\n',
        ]
        return "\n\n".join(parts)

    def _head(self) -> str:
        run, last = self._last.run, self._last.last
        literals = _initial(self._initial) if self._initial else ""
        unusual = sorted(set(re.findall(r"\b(?:inf|nan)\b", literals)))
        numbers = f"from math import {', '.join(unusual)}\n" if unusual else ""
        return (
            f'"""Run {run} of livegrad as plain PyTorch: {last:,} steps, '
            "with the same numbers, bit for bit.\n\n"
            f"Made for torch {self._torch} on a CPU. "
            "Other versions or processors may round differently.\n"
            '"""\n\nimport argparse\nfrom collections import OrderedDict\n'
            f"from collections.abc import Sequence\n{numbers}\nimport torch\n"
            f"from torch import Tensor, nn\n\n{source('data', 'Batch')}\n"
        )

    def _sources(self) -> list[str]:
        # Word for word what trained: nothing here repeats the training package.
        names = [("network", "build_network"), ("data", "as_column"), ("data", "split_points")]
        names += [("data", "Batches")] if self._takes_batches else []
        return [f"{source(module, name)}\n" for module, name in names]

    def _train(self) -> str:
        zero = ["        optimizer.zero_grad()"]
        if self._zeroes == {False}:
            zero = ["        # No optimizer.zero_grad(): gradients add up."]
        elif len(self._zeroes) == 2:
            zero = ["        if zero_grad:", "            optimizer.zero_grad()"]
        tune = [
            "        if step in rates:",
            '            optimizer.param_groups[0]["lr"] = rates[step]',
        ]
        arguments = ["model", "optimizer", "batch", "validation", "steps"]
        arguments += ["rates"] if self._tunes else []
        arguments += ["zero_grad"] if len(self._zeroes) == 2 else []
        lines = [
            f"def train({', '.join(arguments)}):",
            '    """Train for `steps`; return the losses of the last of them."""',
            "    loss_fn = nn.MSELoss()",
            "    x_val, y_val = validation",
            '    loss = val_loss = torch.tensor(float("nan"))',
            "    for step in steps:",
            *(tune if self._tunes else []),
            "        x, y = batch(step)",
            *zero,
            "        y_pred = model(x)",
            "        loss = loss_fn(y_pred, y)",
            "        with torch.no_grad():",
            "            val_loss = loss_fn(model(x_val), y_val)",
            "        loss.backward()",
            "        optimizer.step()",
            "    return loss.item(), val_loss.item()",
            "",
        ]
        return "\n".join(lines)

    def _main(self) -> str:
        last = self._last.last
        lines = [
            "def main():",
            "    parser = argparse.ArgumentParser(description=__doc__.partition(chr(10))[0])",
            f'    parser.add_argument("--steps", type=int, default={last}, '
            'help="last step (%(default)s)")',
            '    parser.add_argument("--save", metavar="FILE", help="write the state_dict there")',
            "    arguments = parser.parse_args()",
            "    torch.set_num_threads(1)  # more threads may add up in another order",
            "",
            f"    model = {self._network()}",
        ]
        for number, segment in enumerate(self._segments):
            lines += self._segment(segment, self._segments[number - 1] if number else None)
        lines += [
            "",
            '    print(f"step {arguments.steps}: loss {loss!r}, validation loss {val_loss!r}")',
            "    if arguments.save:",
            "        torch.save(model.state_dict(), arguments.save)",
            "",
        ]
        return "\n".join(lines)

    def _network(self) -> str:
        config = self._first.config
        return (
            f"build_network({config.hidden}, {config.activation!r}, "
            f"named_layers={config.named_layers}, seed={config.seed})"
        )

    def _segment(self, segment: Segment, before: Segment | None) -> list[str]:
        config, is_last = segment.config, segment is self._last
        lines = ["", f"    # Run {segment.run}, {config.name!a}: from step {segment.after + 1} on."]
        if before and before.config.activation != config.activation:
            lines.append(f"    model[1] = ACTIVATIONS[{config.activation!r}]()")
        lines += [
            f"    points = {_constant(config)}",
            '    x, y = (as_column(points[axis], points[f"{axis}_scale"]) for axis in "xy")',
            '    training, validation = split_points(x, y, points["training"], '
            f"seed={config.seed})",
        ]
        carries = before is not None and segment.after > 0 and before.columns == segment.columns
        lines += ["    before = optimizer"] if carries else []
        lines += _optimizer(config)
        if carries:
            lines.append(
                "    optimizer.state.update(before.state)  # the optimizer's state is kept"
            )
        if before is None and self._initial is not None:
            lines.append("    restore(model, optimizer)")
        lines.append(self._batch(config))
        end = "arguments.steps" if is_last else f"min({segment.last}, arguments.steps)"
        arguments = [
            "model",
            "optimizer",
            "batch",
            "validation",
            f"range({segment.after + 1}, {end} + 1)",
        ]
        if self._tunes:
            rates = ", ".join(f"{step}: {rate!r}" for step, rate in sorted(segment.rates.items()))
            # The comment has its own line: if it were wrapped, its end would be code.
            lines += ["    # Learning rates, by the first step at which each applies."]
            lines += _wrapped(f"    rates = {{{rates}}}")
            arguments.append("rates")
        arguments += [repr(config.zero_grad)] if len(self._zeroes) == 2 else []
        call = f"train({', '.join(arguments)})"
        if before is None:
            return [*lines, f"    loss, val_loss = {call}"]
        return [
            *lines,
            f"    if arguments.steps > {segment.after}:",
            f"        loss, val_loss = {call}",
        ]

    def _batch(self, config: RunConfig) -> str:
        if config.batch_size is None:
            return "    batch = lambda step, training=training: training  # all points, every step"
        seed = order_seed(config)
        return f"    batch = Batches(training, {config.batch_size}, {seed})"


def _constant(config: RunConfig) -> str:
    return config.dataset.upper()


def _optimizer(config: RunConfig) -> list[str]:
    arguments = config.optimizer.model_dump(exclude={"kind"})
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    name = class_names("optimizers", "KINDS")[config.optimizer.kind]
    line = f"    optimizer = torch.optim.{name}(model.parameters(), {text})"
    if len(line) <= WIDTH:
        return [line]
    return [f"    optimizer = torch.optim.{name}(", f"        model.parameters(), {text}", "    )"]


def _points(dataset: Dataset) -> str:
    words = textwrap.fill(dataset.description, WIDTH, initial_indent="# ", subsequent_indent="# ")
    axes = (dataset.x_axis, dataset.x), (dataset.y_axis, dataset.y)
    texts = []
    for key, (axis, values) in zip("xy", axes, strict=True):
        unit = f", {axis.unit}" if axis.unit else ""
        texts += [f"    # {axis.name}{unit}; the network is fed this × {axis.scale!r}"]
        texts += [*_wrapped(f'    "{key}": [{", ".join(map(repr, values))}],', indent=8)]
        texts += [f'    "{key}_scale": {axis.scale!r},']
    texts.append(f'    "training": {dataset.training_size},  # points; the others validate')
    return f"{words}\n{dataset.name.upper()} = {{\n" + "\n".join(texts) + "\n}\n"


def _initial(initial: InitialState) -> str:
    row = np.frombuffer(initial.record, np.float32)
    absent = _absent_columns(initial, row)
    kept: dict[str, list[str]] = {}
    for column in initial.columns:
        if column.role == "scalar" or column in absent:
            continue
        values = row[column.offset : column.offset + column.size]
        key = {"parameter": "value", "gradient": "grad"}.get(column.role, column.slot)
        text = f'        "{key}": {_nested(values.reshape(column.shape))},'
        kept.setdefault(column.name, []).extend(_wrapped(text, indent=12))
    lines = [
        f"# The state after step {initial.step}, with which the run began: the run that it "
        "continues",
        "# was deleted.",
        "INITIAL = {",
    ]
    for name, parts in kept.items():
        lines += [f'    "{name}": {{', *parts, "    },"]
    return "\n".join([*lines, "}", ""])


def _absent_columns(initial: InitialState, row: Any) -> set[Column]:
    # A .grad that is None; and all of a new optimizer's state, which is NaN before its first step.
    gradients = [column for column in initial.columns if column.role == "gradient"]
    states = [column for column in initial.columns if column.role == "state"]
    found = grad_states_of(initial.step, initial.record, initial.columns)
    absent = {column for column, state in zip(gradients, found, strict=True) if state == "none"}
    if all(np.isnan(row[c.offset : c.offset + c.size]).all() for c in states):
        absent |= set(states)
    return absent


def _nested(values: Any) -> str:
    if values.ndim == 0:
        return _number(values)
    return f"[{', '.join(_nested(value) for value in values)}]"


def _number(value: Any) -> str:
    # The shortest text that Python, through a double, reads back as the same float32.
    short = (
        str(float(np.format_float_scientific(value, unique=True)))
        if np.isfinite(value)
        else str(float(value))
    )
    return (
        short if np.float32(float(short)) == value or not np.isfinite(value) else repr(float(value))
    )


def _wrapped(text: str, indent: int = 8) -> list[str]:
    # The text contains only literals inside brackets, without comments or strings, so it may be
    # broken at any blank.
    return textwrap.wrap(
        text,
        WIDTH,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


_RESTORE = '''def restore(model, optimizer):
    """Set parameters, gradients and the optimizer's state to those with which the run began."""
    for name, parameter in model.named_parameters():
        kept = {key: torch.tensor(value) for key, value in INITIAL[name].items()}
        with torch.no_grad():
            parameter.copy_(kept.pop("value"))
        parameter.grad = kept.pop("grad", None)
        if kept:
            optimizer.state[parameter] = kept
'''
