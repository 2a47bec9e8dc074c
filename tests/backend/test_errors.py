"""The tree of errors: what its module says of it is what it is."""

import re

import pytest

from livegrad import errors
from livegrad.errors import LivegradError, ThinnedOut


def drawn() -> dict[str, str]:
    """Return each class of the tree that the docstring draws, with the one above it."""
    found: dict[str, str] = {}
    above = ["LivegradError"]
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"((?:│   |    )*)[├└]── (\w+) ", line):
            depth = len(match[1]) // 4 + 1
            above[depth:] = [match[2]]
            found[match[2]] = above[depth - 1]
    return found


def test_the_tree_that_is_drawn_is_that_of_the_classes() -> None:
    classes = {
        name: kind.__mro__[1].__name__
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, LivegradError) and kind is not LivegradError
    }
    assert drawn() == classes


@pytest.mark.parametrize(
    ("nearest", "words"), [([3, 9], "are 3 and 9"), ([9], "are 9"), ((3, 9), "are 3 and 9")]
)
def test_a_step_that_was_thinned_out_names_those_that_are_kept(
    nearest: list[int], words: str
) -> None:
    error = ThinnedOut(5, nearest)
    assert str(error).startswith("step 5 was thinned out")
    assert str(error).endswith(words)
    assert error.nearest == list(nearest)
