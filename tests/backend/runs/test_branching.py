"""The configuration of a run that continues another.

What stays, what may change, what is refused.
"""

from typing import Any

import pytest
from pydantic import ValidationError

from livegrad.config import RunConfig
from livegrad.errors import BadValue
from livegrad.runs.branching import continued

PARENT = RunConfig.model_validate(
    {"name": "first", "optimizer": {"kind": "adam", "lr": 0.01, "amsgrad": True}, "hidden": 5,
     "max_steps": 1000, "pace": 60, "seed": 3, "batch_size": 4}
).model_dump(mode="json")  # fmt: skip


def branch(step: int = 100, **changes: Any) -> RunConfig:
    return continued(PARENT, step, 0.5, 7.0, changes)


def test_what_is_not_changed_stays_and_the_tuned_values_are_those_in_force() -> None:
    found = branch().model_dump(mode="json")
    optimizer = {**PARENT["optimizer"], "lr": 0.5}
    assert found == {**PARENT, "name": "first from 100", "pace": 7.0, "optimizer": optimizer}


def test_arguments_of_the_same_optimizer_are_laid_over_its_own() -> None:
    found = branch(optimizer={"kind": "adam", "betas": [0.5, 0.9]}).model_dump(mode="json")
    assert found["optimizer"] == {**PARENT["optimizer"], "lr": 0.5, "betas": [0.5, 0.9]}
    assert branch(optimizer={"kind": "adam", "lr": 0.2}).optimizer.lr == 0.2


def test_another_optimizer_begins_with_its_own_defaults() -> None:
    found = branch(optimizer={"kind": "sgd"}).model_dump(mode="json")["optimizer"]
    alone = RunConfig.model_validate({"optimizer": {"kind": "sgd"}}).model_dump(mode="json")
    assert found == alone["optimizer"]


@pytest.mark.parametrize(("step", "most"), [(999, 1000), (1000, 2000), (9_999_500, 10_000_000)])
def test_a_finished_run_that_is_continued_trains_as_long_again(step: int, most: int) -> None:
    assert branch(step).max_steps == most


def test_a_name_stays_within_its_length() -> None:
    parent = {**PARENT, "name": "n" * 80}
    assert continued(parent, 5, 0.1, None, {}).name == "n" * 80


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden": 6}, "hidden: expected 5, as in the run to continue, received 6"),
        ({"named_layers": not PARENT["named_layers"]}, "named_layers: expected"),
        ({"max_steps": 100}, "max_steps: expected more than 100"),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_words(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadValue, match=said):
        branch(**changes)


@pytest.mark.parametrize("changes", [{"optimizer": 5}, {"batch_size": -1}, {"unknown": 1}])
def test_a_value_that_is_none_is_the_configurations_own_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        branch(**changes)


def test_the_same_shape_may_be_named() -> None:
    assert branch(hidden=5, named_layers=PARENT["named_layers"]).hidden == 5
