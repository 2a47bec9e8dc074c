"""Runs a measurement in a fresh process, so that what it loads and starts cannot touch the others."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `function` returns in a process of its own; what it prints is left out of the table."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_hush) as pool:
        return pool.submit(function, *args, **kwargs).result()


def _hush() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
