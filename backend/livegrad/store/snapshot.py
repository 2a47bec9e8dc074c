"""One moment of a run as named arrays (parameters, gradients, loss), and its file formats.

PURE; no torch, no web.

Floats are written as Python floats, as `Tensor.tolist()` returns them: reading one back as float32
gives the same bits.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livegrad.errors import UnknownThing
from livegrad.protocol import Column, GradState, plain_number, plain_numbers
from livegrad.store.parameter_names import other_name

FACTS = "__metadata__"  # its name in an npz; parameter names contain a dot, so none is equal
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter and its `.grad` (None if there is none), both in the parameter's shape."""

    name: str
    value: Array
    grad: Array | None
    grad_state: GradState

    def as_json(self) -> dict[str, Any]:
        """Return the parameter as documented JSON, with nested lists for arrays."""
        return {
            "name": self.name,
            "shape": list(self.value.shape),
            "dtype": "float32",
            "requires_grad": True,
            "value": plain_numbers(self.value.tolist()),
            "grad": None if self.grad is None else plain_numbers(self.grad.tolist()),
            "grad_state": self.grad_state,
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every parameter of a run at `step`, after `phase`.

    `loss` is None before the first iteration.
    """

    run: str
    config: Mapping[str, Any]  # the run's configuration, as in JSON
    step: int
    phase: str
    loss: float | str | None
    parameters: tuple[Parameter, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the snapshot as documented JSON."""
        return self._facts() | {
            "parameters": [parameter.as_json() for parameter in self.parameters]
        }

    def one_as_json(self, name: str) -> dict[str, Any]:
        """Return one parameter, with the run, step, phase and loss. Raises UnknownThing."""
        return self._head() | self.parameter(name).as_json()

    def _head(self) -> dict[str, Any]:
        return {"run": self.run, "step": self.step, "phase": self.phase, "loss": self.loss}

    def _facts(self) -> dict[str, Any]:
        return self._head() | {"config": self.config}

    def parameter(self, name: str) -> Parameter:
        """Return the parameter with this name, in its named or numbered form.

        Raises UnknownThing.
        """
        for parameter in self.parameters:
            if name in (parameter.name, other_name(parameter.name)):
                return parameter
        names = ", ".join(parameter.name for parameter in self.parameters)
        raise UnknownThing(f"there is no parameter {name!r:.100}; there are {names}")

    def arrays(self) -> dict[str, Array]:
        """Return every parameter by name, and every gradient that is not None as name.grad."""
        values = {p.name: np.ascontiguousarray(p.value) for p in self.parameters}
        grads = {
            f"{p.name}.grad": np.ascontiguousarray(p.grad)
            for p in self.parameters
            if p.grad is not None
        }
        return values | grads

    def as_safetensors(self) -> bytes:
        """Return a safetensors file. Its metadata are run, step, phase, loss and configuration."""
        from safetensors.numpy import save

        metadata = {
            "run": self.run,
            "step": str(self.step),
            "phase": self.phase,
            "loss": json.dumps(self.loss),
            "config": json.dumps(self.config),
        }
        return save(dict(self.arrays()), metadata)

    def as_npz(self) -> bytes:
        """Return a NumPy archive.

        Its entry FACTS is JSON with run, step, phase, loss and configuration.
        """
        file = io.BytesIO()
        facts = {FACTS: np.array(json.dumps(self._facts()))}
        # numpy's stub takes the names for its own flags
        np.savez(file, **self.arrays(), **facts)  # type: ignore[arg-type]
        return file.getvalue()

    def as_csv(self) -> str:
        """Return one line per element: PyTorch's name, value, gradient (empty if None)."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "value", "grad"])
        for parameter in self.parameters:
            for index in np.ndindex(parameter.value.shape):
                grad = "" if parameter.grad is None else plain_number(float(parameter.grad[index]))
                name = f"{parameter.name}[{', '.join(map(str, index))}]"
                writer.writerow([name, plain_number(float(parameter.value[index])), grad])
        return file.getvalue()


def take(
    run: str,
    config: Mapping[str, Any],
    step: int,
    phase: str,
    record: bytes,
    columns: Sequence[Column],
    grad_states: Sequence[GradState],
) -> Snapshot:
    """Return the snapshot in one record's bytes. `grad_states` has one entry per parameter."""
    row = np.frombuffer(record, np.float32)

    def array(column: Column) -> Array:
        return row[column.offset : column.offset + column.size].reshape(column.shape)

    gradients = {column.name: array(column) for column in columns if column.role == "gradient"}
    values = [column for column in columns if column.role == "parameter"]
    parameters = tuple(
        Parameter(c.name, array(c), None if state == "none" else gradients[c.name], state)
        for c, state in zip(values, grad_states, strict=True)
    )
    loss = None if step == 0 and np.isnan(row[0]) else plain_number(float(row[0]))
    return Snapshot(run, config, step, phase, loss, parameters)
