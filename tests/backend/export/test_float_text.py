"""Decimal text that reads back as the same float32."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from livegrad.export.float_text import lines

Floats = NDArray[np.float32]


def read_back(text: bytes) -> tuple[list[int], Floats]:
    rows = [line.split(",") for line in text.decode("ascii").splitlines()]
    numbers = np.array([[float(cell) for cell in row[1:]] for row in rows], np.float64)
    with np.errstate(over="ignore"):
        return [int(row[0]) for row in rows], numbers.astype(np.float32)


def same(one: Floats, two: Floats) -> bool:
    both_nan = np.isnan(one) & np.isnan(two)
    return bool((both_nan | (one.view(np.uint32) == two.view(np.uint32))).all())


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=30), st.integers(0, 2**53))
def test_every_float32_reads_back_as_itself(bits: list[int], first: int) -> None:
    rows = np.array([bits, bits[::-1]], np.uint32).view(np.float32)
    steps, numbers = read_back(lines(first, rows))
    assert steps == [first, first + 1]
    assert same(numbers, rows)


def test_a_hundred_thousand_random_ones_read_back_as_themselves() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, (1000, 100), np.uint64).astype(np.uint32)
    rows = bits.view(np.float32)
    assert same(read_back(lines(0, rows))[1], rows)


def test_powers_of_ten_keep_their_digits() -> None:
    powers = np.array([[10.0**n for n in range(-45, 39)]], np.float64).astype(np.float32)
    near = np.concatenate(
        [np.nextafter(powers, np.float32(0)), powers, np.nextafter(powers, np.float32(np.inf))]
    )
    for rows in (near, -near):
        assert same(read_back(lines(0, rows))[1], rows)


def test_numbers_are_short_where_they_are_simple() -> None:
    rows = np.array([[1, -0.5, 0, -0.0, 250000, 2**-10, np.nan, np.inf, -np.inf]], np.float32)
    assert lines(7, rows) == b"7,1,-5e-01,0,-0,2.5e05,9.765625e-04,nan,inf,-inf\n"


def test_columns_without_a_number_yet_are_empty() -> None:
    rows = np.array([[np.nan, 2, np.nan]], np.float32)
    assert lines(0, rows, np.isnan(rows[0])) == b"0,,2,\n"
