"""Formats whole tables of float32 as lines of decimal text that read back as the same float32.

PURE.

Nine significant digits distinguish any two float32. Formatting in Python would take a microsecond
per number, and a run has a hundred million. Here NumPy lays every number out in cells of equal
width, and the unused bytes are then removed.

, - d . d d d d d d d d e - d d        16 bytes
    0 1 2 3 4 5 6 7 8 9 … 11 12 13 14 15
"""

import numpy as np
from numpy.typing import NDArray

CELL = 16
STEP_DIGITS = 16  # a step is below 2**53
_SIGN, _FIRST, _POINT, _LAST, _E, _E_SIGN = 1, 2, 3, 11, 12, 13
_POWERS = np.power(10.0, np.arange(-60, 61))  # powers of ten; 10**n at index n + 60
Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Facts = NDArray[np.bool_]


def lines(first: int, rows: Floats, is_empty: Facts | None = None) -> bytes:
    """Return one line per row, which begins with its step, counted from `first`.

    Cells of the columns marked in `is_empty` are left empty.
    """
    count, width = rows.shape
    text = np.empty((count, STEP_DIGITS + CELL * width + 1), np.uint8)
    shown = np.ones(text.shape, np.bool_)
    _write_steps(first, text[:, :STEP_DIGITS], shown[:, :STEP_DIGITS])
    cells = (count, width, CELL)
    body, body_shown = np.empty(cells, np.uint8), np.ones(cells, np.bool_)
    _write_numbers(rows, body, body_shown)
    if is_empty is not None:
        body_shown[:, is_empty, 1:] = False
    text[:, STEP_DIGITS:-1] = body.reshape(count, -1)
    shown[:, STEP_DIGITS:-1] = body_shown.reshape(count, -1)
    text[:, -1] = ord("\n")
    return text[shown].tobytes()


def _write_steps(first: int, text: Bytes, shown: Facts) -> None:
    left = np.arange(first, first + len(text), dtype=np.uint64)
    for place in range(STEP_DIGITS - 1, -1, -1):
        shown[:, place] = (left > 0) | (place == STEP_DIGITS - 1)
        text[:, place] = left % 10 + ord("0")
        left //= 10


def _write_numbers(rows: Floats, text: Bytes, shown: Facts) -> None:
    is_finite = np.isfinite(rows)
    size = np.where(is_finite, np.abs(rows), np.float32(0)).astype(np.float64)
    digits, exponent = _nine_digits(size)
    text[...] = np.frombuffer(b",-0.00000000e-00", np.uint8)
    shown[..., _SIGN] = np.signbit(rows)
    _write_digits(digits, text, shown)
    _write_exponent(exponent, text, shown)
    if not is_finite.all():
        _write_name("nan", np.isnan(rows), text, shown)
        _write_name("inf", rows == np.inf, text, shown)
        _write_name("-inf", rows == -np.inf, text, shown)


def _nine_digits(size: NDArray[np.float64]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    # size = digits × 10**(exponent − 8), with digits of at least 100,000,000. The logarithm may be
    # off by one at a power of ten.
    is_zero = size == 0
    exponent = np.floor(np.log10(np.where(is_zero, 1.0, size))).astype(np.int64)
    digits = np.rint(size * _POWERS[68 - exponent])
    exponent += digits >= 1e9
    exponent -= (digits < 1e8) & ~is_zero
    return np.rint(size * _POWERS[68 - exponent]).astype(np.uint32), exponent


def _write_digits(digits: NDArray[np.uint32], text: Bytes, shown: Facts) -> None:
    left, is_needed = digits, np.zeros(digits.shape, np.bool_)
    for place in range(_LAST, _POINT, -1):
        rest = left // 10
        digit = left - rest * 10
        is_needed |= digit > 0
        text[..., place] = digit + ord("0")
        shown[..., place] = is_needed
        left = rest
    shown[..., _POINT] = is_needed
    text[..., _FIRST] = left + ord("0")


def _write_exponent(exponent: NDArray[np.int64], text: Bytes, shown: Facts) -> None:
    size = np.abs(exponent)
    shown[..., _E:] = (size > 0)[..., None]
    shown[..., _E_SIGN] = exponent < 0
    text[..., _E_SIGN + 1] = size // 10 + ord("0")
    text[..., _E_SIGN + 2] = size % 10 + ord("0")


def _write_name(name: str, is_it: Facts, text: Bytes, shown: Facts) -> None:
    text[is_it, 1 : 1 + len(name)] = np.frombuffer(name.encode(), np.uint8)
    shown[is_it] = np.arange(CELL) <= len(name)
