"""The list of kinds of fault.

A name, one line that says what it is, how often it comes, and what does it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.system import System

Act = Callable[[System, random.Random], None]


class LeftOut(Exception):
    """This kind of fault cannot be done on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`weight`: how often it comes in a pass through all kinds."""

    name: str
    about: str
    weight: int
    act: Act


KINDS: dict[str, Kind] = {}


def kind(weight: int) -> Callable[[Act], Act]:
    """Put a function into the list.

    Its name in words is the kind's, its docstring says what it is.
    """

    def listed(act: Act) -> Act:
        name = act.__name__.replace("_", " ")
        KINDS[name] = Kind(name, (act.__doc__ or "").strip(), weight, act)
        return act

    return listed
