"""Starts trainers on this machine, from a forkserver that has torch imported and warmed up. Never imports torch.

Knows nothing of runs' states: it says when a process has ended, and how.
"""

import asyncio
import contextlib
import importlib
import multiprocessing
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from livegrad.assignment import Assignment
from livegrad.errors import TrainerError

WARM_MODULE = "livegrad.training.warm"
STOP_SECS = 3.0
LAST_WORDS_LETTERS = 1000  # they stay in the pipe until the process has ended: nobody reads them before


@dataclass(frozen=True, slots=True)
class End:
    """How a trainer's process ended: `code` as multiprocessing tells it, `error` what the process itself failed by.

    An error of the loop is told over the trainer's connection instead; this one is for what comes before there is any.
    """

    code: int | None
    error: str = ""

    @property
    def is_failure(self) -> bool:
        """Tell whether it ended by an error of its own, which would come again."""
        return self.code is None or self.code > 0

    def __str__(self) -> str:
        if self.error:
            return f"its process failed: {self.error}"
        if self.code is None or self.code >= 0:
            return f"its process ended with exit code {self.code}"
        with contextlib.suppress(ValueError):
            return f"its process was killed by {signal.Signals(-self.code).name}"
        return f"its process was killed by signal {-self.code}"


Ended = Callable[[End], None]


def _train(assignment: Assignment, last_words: Connection) -> None:
    # The child's first lines: here, in the new process, torch is imported; never in the server's.
    try:
        import_warm("livegrad.training.process").main(assignment)
    except Exception as error:
        with contextlib.suppress(OSError):  # the server may be gone
            last_words.send_bytes(in_words(error).encode(errors="replace"))
        raise  # to the server's stderr, with its traceback


def import_warm(module: str) -> Any:
    """Import a module that needs torch, in a process of its own. Raises what kept the forkserver from loading torch.

    That first error is the one that says why: a library that is half there fails by something else the second time.
    """
    failure: Exception | None = getattr(sys.modules.get(WARM_MODULE), "failure", None)
    if failure is not None:
        raise failure
    return importlib.import_module(module)


def in_words(error: Exception) -> str:
    """Return an error's type and message, for whoever reads a run's reason."""
    return f"{type(error).__name__}: {error}"[:LAST_WORDS_LETTERS].removesuffix(": ")


def _read(last_words: Connection) -> str:
    # Of a process that has ended: there is nothing to wait for.
    with last_words, contextlib.suppress(EOFError, OSError):
        return last_words.recv_bytes().decode()
    return ""


class Launcher:
    """This machine's trainers, by run. All methods belong to the event loop's thread."""

    def __init__(self) -> None:
        self._context = self._warm_context()
        self._processes: dict[str, BaseProcess] = {}
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._replaced: dict[BaseProcess, asyncio.Task[None]] = {}  # still there, perhaps frozen
        self.is_warm = False  # has a trainer been started, and so torch been loaded?

    @staticmethod
    def _warm_context() -> Any:
        if "forkserver" not in multiprocessing.get_all_start_methods():
            return multiprocessing.get_context("spawn")  # Windows: slower to start, the same otherwise
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([WARM_MODULE])
        return context

    async def warm_up(self) -> None:
        """Start the forkserver; it loads torch by itself, while the server goes on."""
        probe = self._context.Process(target=_nothing, daemon=True)
        await asyncio.to_thread(probe.start)
        await asyncio.to_thread(probe.join)
        self.is_warm = True

    async def start(self, run: str, assignment: Assignment, on_end: Ended) -> None:
        """Start a trainer for `run`; `on_end(how)` is called when its process has ended. Raises TrainerError."""
        # A daemon: one that is still starting when the server ends, and so is nobody's yet, ends with it.
        heard, last_words = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_train, args=(assignment, last_words), name=f"livegrad {run}", daemon=True
        )
        try:
            await asyncio.to_thread(process.start)
        except (OSError, EOFError) as error:
            heard.close()
            raise TrainerError(f"the training process could not be started: {error}") from error
        finally:
            last_words.close()  # the process holds the only one: its end is the end of what can be read
        self.is_warm = True
        if run in self._processes:
            self._replaced[self._processes[run]] = self._watchers[run]
        self._processes[run] = process
        self._watchers[run] = asyncio.create_task(self._watch(run, process, heard, on_end))

    async def _watch(self, run: str, process: BaseProcess, heard: Connection, on_end: Ended) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        if sys.platform == "win32":
            await asyncio.to_thread(process.join)
        else:
            loop.add_reader(process.sentinel, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(process.sentinel)
            process.join()
        if self._processes.get(run) is process:
            del self._processes[run]
            self._watchers.pop(run, None)
        self._replaced.pop(process, None)
        on_end(End(process.exitcode, _read(heard)))

    async def end(self, run: str, patience_secs: float = STOP_SECS) -> None:
        """Wait a moment for the run's trainer to end by itself, then kill it."""
        if run in self._processes:
            await _end(self._processes[run], self._watchers[run], patience_secs)

    async def end_all(self) -> None:
        """End every trainer, replaced ones too."""
        await asyncio.gather(
            *(self.end(run) for run in list(self._processes)),
            *(_end(process, watcher, 0) for process, watcher in list(self._replaced.items())),
        )

    def pid(self, run: str) -> int | None:
        """Return the process id of the run's trainer, if one is alive."""
        process = self._processes.get(run)
        return process.pid if process else None


async def _end(process: BaseProcess, watcher: asyncio.Task[None], patience_secs: float) -> None:
    done, _ = await asyncio.wait({watcher}, timeout=patience_secs)
    if not done:
        process.kill()
        await asyncio.wait({watcher}, timeout=STOP_SECS)


def _nothing() -> None:
    """Do nothing: what the first process does, so that the forkserver is known to be warm."""
