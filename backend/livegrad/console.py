"""Makes the standard streams safe: no printed line can end the program.

Knows nothing of what is printed.

A stream may be closed, absent (pythonw), a pipe that nobody reads any more, on a full disk, or on a
closed terminal. Text that cannot be written is dropped.
"""

import contextlib
import io
import os
import sys
from typing import Any, TextIO

_DESCRIPTORS = (0, 1, 2)


class _Dropping(io.RawIOBase):
    """A raw stream that never fails: it drops what the stream below it refuses."""

    def __init__(self, below: io.RawIOBase) -> None:
        self._below = below

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return self._below.isatty()
        return False

    def fileno(self) -> int:
        return self._below.fileno()

    def write(self, data: Any, /) -> int:
        size = memoryview(data).nbytes
        try:
            written = self._below.write(data)
        except (OSError, ValueError):
            return size
        # None: the descriptor is non-blocking and has no room.
        return size if written is None else written


def secure() -> None:
    """Make the three standard streams safe to use.

    Call this once, first, in a program's own process.
    """
    _open_missing()
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115  # stays open
    sys.stdout = _secured(sys.stdout)
    sys.stderr = _secured(sys.stderr)


def _open_missing() -> None:
    # Otherwise the next file or socket opened gets the number, and printed text would go into it.
    for descriptor in _DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                _put(os.open(os.devnull, os.O_RDWR), descriptor)


def _put(opened: int, descriptor: int) -> None:
    if opened != descriptor:
        os.dup2(opened, descriptor)
        os.close(opened)
    os.set_inheritable(descriptor, True)


def _secured(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # PYTHONUNBUFFERED removes the buffer
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(raw, io.RawIOBase):
        return stream  # not ours, for example a test's or a notebook's
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Dropping(raw)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=True,
    )
