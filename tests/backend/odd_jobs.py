"""Functions for the workshop's process."""

import os
import time


def doubled(data: bytes) -> bytes:
    return data + data


def divided(one: int, two: int) -> bytes:
    return bytes(one // two)


def ended() -> bytes:
    os._exit(3)


def slept() -> bytes:
    time.sleep(60)
    return b""
