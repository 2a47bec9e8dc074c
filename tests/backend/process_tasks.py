"""Functions for a process of their own."""

import builtins
import os
import sys
import time
from pathlib import Path


def doubled(data: bytes) -> bytes:
    return data + data


def divided(one: int, two: int) -> bytes:
    return bytes(one // two)


def ended() -> bytes:
    os._exit(3)


def slept() -> bytes:
    time.sleep(60)
    return b""


def slept_the_first_time(been: str) -> bytes:
    if not Path(been).exists():
        Path(been).touch()
        time.sleep(60)
    return b"awake"


def printed() -> bytes:
    print("hello")
    os.write(1, b"hello from below\n")
    return b"quiet"


def raised(kind: str, *arguments: object) -> bytes:
    error: type[Exception] = getattr(builtins, kind)
    raise error(*arguments)


def exited(code: int | str | None) -> bytes:
    sys.exit(code)


def exited_after(kind: str) -> bytes:
    try:
        return raised(kind)
    except Exception as error:
        raise SystemExit(1) from error
