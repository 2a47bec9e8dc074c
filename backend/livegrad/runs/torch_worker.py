"""Runs one function that needs torch in a process of its own, and returns its bytes. Never imports torch.

The process is forked from the forkserver that trainers come from: torch is there already.
"""

import asyncio
import multiprocessing
import signal
from multiprocessing.connection import Connection
from typing import Any

from livegrad.errors import TrainerError
from livegrad.runs.launcher import WARM_MODULE, import_warm, in_words

WORK_SECS = 120.0  # torch on a cold disk


async def work(function: str, *arguments: Any) -> bytes:
    """Call `function`, "module:name", with `arguments` in a process of its own; return the bytes that it returns.

    Raises TrainerError when it fails, or takes more than WORK_SECS.
    """
    return await asyncio.to_thread(_work, function, arguments)


def _work(function: str, arguments: tuple[Any, ...]) -> bytes:
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_worker, args=(theirs, function, arguments), daemon=True)
    with ours:
        try:
            process.start()
            theirs.close()
            if not ours.poll(WORK_SECS):
                raise TrainerError(f"a process that needs torch did not answer in {WORK_SECS:.0f} s")
            return _answer(ours.recv_bytes())
        except (OSError, EOFError) as error:
            raise TrainerError(f"a process that needs torch ended without an answer: {error}") from error
        finally:
            process.kill()
            process.join()


def _context() -> Any:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([WARM_MODULE])
    return context


def _answer(data: bytes) -> bytes:
    if data[:1] == b"!":
        raise TrainerError(data[1:].decode())
    return data[1:]


def _worker(connection: Connection, function: str, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's to hear
    module, _, name = function.partition(":")
    try:
        data = b"=" + getattr(import_warm(module), name)(*arguments)
    except Exception as error:
        data = b"!" + in_words(error).encode(errors="replace")
    connection.send_bytes(data)
