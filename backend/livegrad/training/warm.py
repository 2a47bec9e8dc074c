"""Loads torch and makes this process warm, once, and finds out whether processes may be forked from it.

PyTorch's autograd keeps a thread for each device that is not the CPU, from its first backward() on, and threads do not
survive a fork: beside a GPU or an Apple chip, a process that has run backward() must never be forked.
"""

import importlib
import os
import time

from livegrad.process_protocol import Ready, in_words
from livegrad.training.task_process import is_trouble

PROBE_SECS = 20.0


def load(forks: bool) -> Ready:
    """Import torch and take a step with each optimizer. `forks`: only if processes can be forked from here then."""
    try:
        process = importlib.import_module("livegrad.training.process")
        if forks and sees_a_device():
            return Ready(can_fork=False)
        process.warm_up()
        return Ready(can_fork=forks and a_fork_can_train())
    except (
        Exception
    ) as error:  # a library that is not there, or half there: each run tells it as its reason
        return Ready(failure=in_words(error), is_trouble=is_trouble(error))


def sees_a_device() -> bool:
    """Return whether torch sees any device but the CPU."""
    import torch

    return torch.accelerator.is_available()


def a_fork_can_train() -> bool:
    """Fork a process that runs backward(), and return whether that works.

    Nobody can list every device that a plug-in may register with autograd, and so its answer is the one that counts.
    """
    try:
        pid = os.fork()
    except OSError:
        return True  # no process at this moment: a start will say so
    if pid == 0:
        _run_backward()
    give_up_at = time.monotonic() + PROBE_SECS
    while time.monotonic() < give_up_at:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status == 0
        time.sleep(0.001)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return False


def _run_backward() -> None:
    code = 1
    try:
        import torch

        torch.ones(1, requires_grad=True).sum().backward()
        code = 0
    finally:
        os._exit(code)
