"""Sizes of blocks: each is a whole number of the one below it."""

from itertools import pairwise

from livegrad.store.blocks import BLOCK, FOLD, SIZES


def test_each_size_is_so_many_of_the_one_below_it() -> None:
    assert SIZES[0] == BLOCK == 256
    assert all(larger == FOLD * smaller for smaller, larger in pairwise(SIZES))
