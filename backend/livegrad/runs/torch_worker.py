"""Calls one function that needs torch in a separate process, and returns its bytes.

Never imports torch.

The process is started like a trainer's, so torch is already loaded.
"""

import asyncio
from typing import Any

from livegrad.errors import TrainerError
from livegrad.process_protocol import Call, pack
from livegrad.runs.launcher import Launcher
from livegrad.runs.process_starter import Outcome

WORK_SECS = 120.0
TRIES = 2  # a killed process says nothing about the function


async def work(launcher: Launcher, function: str, *arguments: Any) -> bytes:
    """Call `function`, "module:name", with `arguments` in a separate process; return its bytes.

    Arguments may be JSON values and bytes. Raises TrainerError when the function fails or takes
    longer than WORK_SECS, and NotStarted when the system does not let a process start.
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
