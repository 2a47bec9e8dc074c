"""Code shared by every process that livegrad starts: its environment, its task and its report.

Knows nothing of how the process was started. Imports torch only when a task does.
"""

import contextlib
import errno
import importlib
import os
import signal
import sys
import traceback

from livegrad.process_protocol import (
    FAILED,
    TROUBLE,
    Call,
    Message,
    Report,
    Task,
    encode,
    in_words,
    unpack,
)

# Signals for a whole process group (Ctrl-C, `kill`, a closed terminal) are left to the server. It
# sends `stop` to a trainer, the trainer notices when the server ends, and finally the server kills
# it.
LEFT_TO_THE_SERVER = ("SIGINT", "SIGTERM", "SIGHUP")
TROUBLE_ERRNOS = frozenset(
    {errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EIO}
)
TROUBLE_WORDS = (
    "can't start new thread",
    "cannot allocate memory",
    "can't allocate memory",
    "failed to map segment",
)


def settle() -> tuple[int, int]:
    """Detach this process from its origin; return descriptors to read from and to write to.

    Standard input becomes empty, and printed text goes to standard error, because the pipes carry
    messages only.
    """
    ignore_signals()
    _close_leaked_descriptors()
    if not _is_open(2):
        _replace(2, os.devnull, os.O_WRONLY)
    requests, replies = (
        os.dup(0),
        os.dup(1),
    )  # not inherited by programs that the training code may run
    _replace(0, os.devnull, os.O_RDONLY)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (requests, replies):
            msvcrt.setmode(descriptor, os.O_BINARY)
    return requests, replies


def ignore_signals() -> None:
    """Ignore the signals that are left to the server."""
    for name in LEFT_TO_THE_SERVER:
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _close_leaked_descriptors() -> None:
    # uvloop leaves a child's pipes open a second time. A frozen trainer would hold those of the
    # forkserver, and the server would not see their end.
    if sys.platform != "win32":
        for name in os.listdir("/dev/fd"):
            if int(name) > 2:
                with contextlib.suppress(OSError):  # the descriptor of the listing itself
                    os.close(int(name))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _replace(descriptor: int, path: str, flags: int) -> None:
    found = os.open(path, flags)
    if found != descriptor:
        os.dup2(found, descriptor)
        os.close(found)


def send(descriptor: int, message: Message) -> None:
    """Write a whole message. Raises OSError when nobody reads any more."""
    data = memoryview(encode(message))
    while data:
        data = data[os.write(descriptor, data) :]


def do(task: Task, replies: int) -> int:
    """Do the task, send its report to `replies`, and return the exit code."""
    report, code = _done(task)
    with contextlib.suppress(OSError):  # the server or the forkserver may be gone
        send(replies, report)
    return code


def _done(task: Task) -> tuple[Report, int]:
    try:
        return Report(result=_result(task)), 0
    except SystemExit as end:  # a trainer that has already reported its error over its connection
        if end.code in (None, 0):
            return Report(), 0
        error = end.__cause__
    except Exception as raised:
        traceback.print_exc()
        error = raised
    if error is None:
        return Report(), FAILED
    return Report(error=in_words(error)), TROUBLE if is_trouble(error) else FAILED


def _result(task: Task) -> bytes:
    if isinstance(task, Call):
        module, _, name = task.function.partition(":")
        result: bytes = getattr(importlib.import_module(module), name)(*unpack(task.arguments))
        return result
    importlib.import_module("livegrad.training.process").main(task)
    return b""


def is_trouble(error: BaseException) -> bool:
    """Return whether the system (such as no memory) caused the error, not the training code."""
    if isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno in TROUBLE_ERRNOS
    ):
        return True
    return any(words in str(error).lower() for words in TROUBLE_WORDS)


def end(code: int) -> None:
    """End this process at once. Neither a library's exit handler nor PYTHONINSPECT can delay it."""
    for stream in (sys.stdout, sys.stderr):
        # None, closed, or without a reader
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
