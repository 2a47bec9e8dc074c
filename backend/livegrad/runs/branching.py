"""Makes the configuration of a run that continues another from step k. PURE; no log, no web.

Everything except the network's shape may change. Settings that are not changed stay as they were,
including the learning rate then in force.
"""

from typing import Any

from livegrad.config import RunConfig
from livegrad.errors import BadValue

KEPT = ("hidden", "named_layers")  # they determine which parameters there are


def continued(
    parent: dict[str, Any], step: int, lr: float, pace: float | None, changes: dict[str, Any]
) -> RunConfig:
    """Return the configuration of a run that continues one of `parent` after `step`.

    `lr` and `pace` are those in force at that step. Raises BadValue for a change of the network's
    shape, and pydantic's ValidationError for an invalid value.
    """
    for name in KEPT:
        if name in changes and changes[name] != parent[name]:
            raise BadValue(
                f"{name}: expected {parent[name]!r}, as in the run to continue, received "
                f"{changes[name]!r:.50}"
            )
    optimizer = {**parent["optimizer"], "lr": lr}
    wanted = changes.get("optimizer", {})
    if isinstance(wanted, dict) and wanted.get("kind", optimizer["kind"]) == optimizer["kind"]:
        wanted = {**optimizer, **wanted}
    defaults = {
        "name": f"{parent['name']} from {step}"[:80],
        "pace": pace,
        "max_steps": _more_steps(parent, step),
    }
    config = RunConfig.model_validate({**parent, **defaults, **changes, "optimizer": wanted})
    if config.max_steps <= step:
        raise BadValue(
            f"max_steps: expected more than {step}, the step to continue from, received "
            f"{config.max_steps}"
        )
    return config


def _more_steps(parent: dict[str, Any], step: int) -> int:
    # A finished run that is continued trains for the same number of steps again.
    steps = int(parent["max_steps"])
    return steps if step < steps else min(step + steps, 10_000_000)
