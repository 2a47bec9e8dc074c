"""Runs one function that needs torch in a process of its own, and returns its bytes. Never imports torch.

The process comes from where trainers come from: torch is there already.
"""

import asyncio
from typing import Any

from livegrad.errors import TrainerError
from livegrad.process_protocol import Call, pack
from livegrad.runs.launcher import Launcher
from livegrad.runs.process_starter import Outcome

WORK_SECS = 120.0
TRIES = 2  # a process that was killed says nothing of the function


async def work(launcher: Launcher, function: str, *arguments: Any) -> bytes:
    """Call `function`, "module:name", with `arguments` in a process of its own; return the bytes that it returns.

    Arguments are what JSON can hold, and bytes. Raises TrainerError when it fails, or takes more than WORK_SECS, and
    NotStarted when the surroundings do not let a process start.
    """
    call = Call(function, pack(arguments))
    for _ in range(TRIES):
        outcome = await _outcome(launcher, call)
        if outcome.end.code == 0:
            return outcome.result
        if outcome.end.is_failure:
            raise TrainerError(outcome.end.error)
    raise TrainerError(f"a process that needs torch ended without an answer: {outcome.end}")


async def _outcome(launcher: Launcher, call: Call) -> Outcome:
    child = await launcher.begin(call)
    try:
        return await asyncio.wait_for(asyncio.shield(child.outcome), WORK_SECS)
    except TimeoutError:
        raise TrainerError(
            f"a process that needs torch did not answer in {WORK_SECS:.0f} s"
        ) from None
    finally:
        child.kill()
