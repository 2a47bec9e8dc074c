"""Events and effects are values.

Covers lifecycle/events.py and lifecycle/effects.py.
"""

from dataclasses import FrozenInstanceError, fields, is_dataclass
from inspect import getmembers, isclass
from types import ModuleType
from typing import Any, get_args

import pytest

from livegrad.lifecycle import effects, events
from livegrad.lifecycle.effects import Effect, LogBegin
from livegrad.lifecycle.events import Event, Opened


@pytest.mark.parametrize(("module", "union"), [(events, Event), (effects, Effect)])
def test_the_union_holds_every_class_of_its_module(module: ModuleType, union: Any) -> None:
    own = {c for _, c in getmembers(module, isclass) if c.__module__ == module.__name__}
    assert set(get_args(union)) == own


@pytest.mark.parametrize("kind", [*get_args(Event), *get_args(Effect)])
def test_each_is_frozen_and_equal_to_another_with_the_same_fields(kind: Any) -> None:
    assert is_dataclass(kind)
    arguments = range(len(fields(kind)))
    make: Any = kind
    one, other = make(*arguments), make(*arguments)
    assert one == other
    assert hash(one) == hash(other)
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        one.epoch = 5


def test_what_is_left_out_is_the_usual_case() -> None:
    assert Opened() == Opened(may_train=True)
    assert LogBegin() == LogBegin(delay_secs=0.0)
