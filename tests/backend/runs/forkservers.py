"""This test's own forkservers, as the operating system sees them."""

import psutil


def forkservers() -> list[psutil.Process]:
    """Return the forkservers that this very process has started; not what was forked from them."""
    children = psutil.Process().children()
    return [child for child in children if "livegrad.training.forkserver" in child.cmdline()]
