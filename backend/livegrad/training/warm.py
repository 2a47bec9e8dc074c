"""Loads torch, warms the process up, and finds out whether it may be forked.

From its first backward(), PyTorch's autograd keeps a thread for each device other than the CPU, and
threads do not survive a fork. Beside a GPU or an Apple chip, a process that has run backward() must
therefore never be forked.
"""

import importlib
import os
import time

from livegrad.process_protocol import Ready, in_words
from livegrad.training.task_process import is_trouble

PROBE_SECS = 20.0


def load(forks: bool) -> Ready:
    """Import torch and take a step with each optimizer.

    With `forks`, the step is taken only if processes can still be forked afterwards.
    """
    try:
        process = importlib.import_module("livegrad.training.process")
        if forks and sees_a_device():
            return Ready(can_fork=False)
        process.warm_up()
        return Ready(can_fork=forks and a_fork_can_train())
    except Exception as error:  # a missing or incomplete library; each run reports it as its reason
        return Ready(failure=in_words(error), is_trouble=is_trouble(error))


def sees_a_device() -> bool:
    """Return whether torch sees any device other than the CPU."""
    import torch

    return torch.accelerator.is_available()


def a_fork_can_train() -> bool:
    """Fork a process that runs backward(), and return whether that works.

    Plug-ins may register devices with autograd that no list contains, so the trial is decisive.
    """
    try:
        pid = os.fork()
    except OSError:
        return True  # no process can be started at the moment; a later start reports that
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
