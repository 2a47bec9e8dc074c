"""Which steps a replay keeps."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.export.replay import chosen


def loss_of(first: int, last: int, spikes: dict[int, float]) -> dict[str, Any]:
    steps = np.unique(np.linspace(first, last, 1500).round().astype(int).tolist() + list(spikes))
    values = [spikes.get(int(step), 10.0 / (1 + step - first)) for step in steps]
    return {"name": "loss", "steps": steps.tolist(), "values": ["nan", *values[1:]]}


def steps_in(ranges: Sequence[tuple[int, int]]) -> list[int]:
    return [step for start, end in ranges for step in range(start, end + 1)]


@settings(deadline=None)  # a busy machine is no failure
@given(
    first=st.integers(0, 10_000),
    length=st.integers(1, 1_000_000),
    room=st.integers(16, 3000),
    spikes=st.sets(st.floats(0.1, 0.9), max_size=3),
)
def test_what_is_kept_fits_and_is_whole(
    first: int, length: int, room: int, spikes: set[float]
) -> None:
    last = first + length - 1
    at = {first + int(share * length): 1000.0 for share in spikes}
    ranges = chosen([(first, last)], room, loss_of(first, last, at))
    kept = steps_in(ranges)
    assert kept == sorted(set(kept))
    assert len(kept) <= room
    assert {first, last} <= set(kept)
    assert kept == list(range(first, last + 1)) or all(a[1] + 1 < b[0] for a, b in pairwise(ranges))


def test_a_run_that_fits_is_kept_whole() -> None:
    assert chosen([(5, 104)], 100, loss_of(5, 104, {})) == [(5, 104)]


def test_spikes_and_the_best_step_are_kept_with_the_step_before() -> None:
    found = chosen([(0, 99_999)], 200, loss_of(0, 99_999, {12_345: 500.0, 67_890: 1e-9}))
    kept = set(steps_in(found))
    assert {12_344, 12_345, 67_889, 67_890} <= kept


def test_the_others_lie_evenly() -> None:
    kept = [end for _, end in chosen([(0, 99_999)], 400, loss_of(0, 99_999, {}))]
    gaps = np.diff(kept)
    assert gaps.max() < 2 * 99_999 / len(kept)


def test_a_loss_that_is_never_a_number_leaves_even_steps() -> None:
    nothing = {"name": "loss", "steps": [0, 1000], "values": ["nan", "inf"]}
    assert len(steps_in(chosen([(0, 1000)], 100, nothing))) > 80


def test_of_a_thinned_history_what_is_left_is_chosen_from() -> None:
    kept = [(0, 0), *((k, k) for k in range(256, 90_000, 256)), (90_001, 100_000)]
    found = chosen(kept, 300, loss_of(0, 100_000, {500: 900.0, 2560: 800.0, 95_000: 700.0}))
    there = {step for start, end in kept for step in range(start, end + 1)}
    assert set(steps_in(found)) <= there
    assert {0, 2560, 94_999, 95_000, 100_000} <= set(steps_in(found))
    assert chosen(kept, 20_000, loss_of(0, 100_000, {})) == kept
