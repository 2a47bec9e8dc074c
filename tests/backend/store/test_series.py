"""Series: thinning keeps every extreme; names are found, and unknown ones refused in words."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livegrad.errors import BadValue, LivegradError, UnknownThing
from livegrad.protocol import RECORDS, Frame, columns_of
from livegrad.store.curves import MAX_POINTS, curves
from livegrad.store.series import reader, thinned

COLUMNS = columns_of([("hidden_linear.weight", (2, 1)), ("hidden_linear.bias", (2,))], [])
WIDTH = sum(column.size for column in COLUMNS)
FLOATS = st.floats(-1e6, 1e6, width=32)


def frames(losses: list[float], sizes: list[int], first: int = 0) -> Iterator[Frame]:
    """Cut a history with these losses into frames of these sizes, over and over."""
    rows = np.zeros((len(losses), WIDTH), np.float32)
    rows[:, 0] = losses
    at = number = 0
    while at < len(rows):
        part = rows[at : at + sizes[number % len(sizes)]]
        yield Frame(RECORDS, len(part), first + at, 1, 0, 0.0, part.tobytes())
        at += len(part)
        number += 1


@dataclass
class Young:
    """A history of which no block is compacted yet."""

    kept: list[Frame]
    first_step: int
    compacted: int = 0

    def frames(self, first: int, last: int) -> Iterator[Frame]:
        return (frame.until(last) for frame in self.kept if frame.first <= last)

    def summaries(self, size: int, first: int, last: int) -> list[bytes]:
        return []

    def element_summaries(self, size: int, first: int, last: int) -> list[tuple[int, bytes]]:
        return []


@given(
    st.lists(FLOATS | st.just(float("nan")), min_size=1, max_size=400),
    st.lists(st.integers(1, 90), min_size=1, max_size=5),
    st.integers(2, 500),
    st.integers(0, 1000),
)
def test_a_thinned_series_is_a_part_of_the_whole_with_its_ends_and_extremes(
    losses: list[float], sizes: list[int], points: int, first: int
) -> None:
    last = first + len(losses) - 1
    [series] = curves(
        Young(list(frames(losses, sizes, first)), first), COLUMNS, ["loss"], first, last, points
    )
    steps = series["steps"]
    told = np.array([float(value) for value in series["values"]], np.float32)
    whole = np.array(losses, np.float32)
    assert steps == sorted(set(steps))
    np.testing.assert_array_equal(told, whole[np.array(steps) - first])
    assert steps[-1] == last
    assert len(steps) <= 1.5 * points + 4
    if not np.isnan(whole).all():
        assert np.nanmin(told) == np.nanmin(whole)
        assert np.nanmax(told) == np.nanmax(whole)
    assert np.isnan(told).any() == np.isnan(whole).any()
    if points >= 2 * len(losses):
        assert steps == list(range(first, last + 1))


@given(
    st.lists(st.tuples(st.integers(1, 5), FLOATS | st.just(float("nan"))), max_size=300),
    st.integers(0, 1000),
    st.integers(1, 90),
)
def test_thinning_keeps_the_ends_and_the_extremes_of_each_bucket(
    points: list[tuple[int, float]], first: int, bucket: int
) -> None:
    # not every step is there
    steps = first + np.cumsum([distance for distance, _ in points], dtype=np.int64)
    values = np.array([value for _, value in points], np.float64)
    kept_steps, kept = thinned(steps, values, first, bucket)
    where = np.searchsorted(steps, kept_steps)
    np.testing.assert_array_equal(steps[where], kept_steps)
    np.testing.assert_array_equal(values[where], kept)
    assert kept_steps.tolist() == sorted(set(kept_steps.tolist()))
    if points:
        assert (kept_steps[0], kept_steps[-1]) == (steps[0], steps[-1])
    for number in set(((steps - first) // bucket).tolist()):
        inside, still = ((part - first) // bucket == number for part in (steps, kept_steps))
        assert still.sum() <= 5
        assert np.isnan(values[inside]).any() == np.isnan(kept[still]).any()
        if not np.isnan(values[inside]).all():
            assert np.nanmin(values[inside]) == np.nanmin(kept[still])
            assert np.nanmax(values[inside]) == np.nanmax(kept[still])


def test_norms_and_elements_are_those_of_numpy() -> None:
    row = np.arange(1, WIDTH + 1, dtype=np.float32)[None]
    assert reader("gradient_norm/hidden_linear.weight", COLUMNS)(row) == pytest.approx(
        [np.hypot(8, 9)]
    )
    assert reader("parameter_norm/0.bias", COLUMNS)(row) == pytest.approx([np.hypot(6, 7)])
    assert reader("hidden_linear.weight[1,0]", COLUMNS)(row) == [5.0]
    assert reader("hidden_linear.weight[1, 0]", COLUMNS)(row) == [5.0]
    assert reader("hidden_linear.bias.grad[0]", COLUMNS)(row) == [10.0]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "accuracy",
        "gradient_norm/",
        "gradient_norm/nothing",
        "hidden_linear.weight",
        "hidden_linear.weight[2,0]",
        "hidden_linear.weight[0]",
        "hidden_linear.weight[-1,0]",
        "hidden_linear.weight[0,0,0]",
        "loss[0]",
    ],
)
def test_an_unknown_name_is_refused_in_words(name: str) -> None:
    with pytest.raises(UnknownThing, match="there is no"):
        reader(name, COLUMNS)


@given(st.text(max_size=80))
def test_any_text_is_a_known_name_or_refused(name: str) -> None:
    try:
        reader(name, COLUMNS)
    except LivegradError:
        return


@pytest.mark.parametrize("points", [-1, 0, 1, MAX_POINTS + 1])
def test_points_have_limits(points: int) -> None:
    with pytest.raises(BadValue, match=f"received {points}"):
        curves(Young([], 0), COLUMNS, ["loss"], 0, 0, points)
