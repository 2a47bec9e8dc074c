"""Series out of digests are made of true points and keep every extreme; short ones are exact."""

from pathlib import Path

import numpy as np
import pytest

from livegrad.curves import curves
from livegrad.errors import BadValue
from livegrad.room import Room
from livegrad.series import reader
from tests.backend.recorded import COLUMNS, begin, opened, records, write

NAMES = ["loss", "gradient_norm/hidden_linear.weight", "parameter_norm/output_linear.bias"]


@pytest.fixture(scope="module")
def rows() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    made = records(70_000)
    made[41_234, 0], made[52_345, 0] = 1e6, -1e6
    made[60_000, 0] = np.nan
    return made


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> Path:
    made = tmp_path_factory.mktemp("curves")
    with opened(made) as log:
        begin(log, "a")
        write(log, "a", rows, at_once=1000)
    return made


@pytest.mark.parametrize(
    ("first", "last", "limit"), [(0, 69_999, 1000), (3, 69_990, 20_000), (100, 69_000, 50)]
)
def test_a_long_series_has_true_points_and_every_extreme(
    folder: Path, rows: np.ndarray[tuple[int, int], np.dtype[np.float32]], first: int, last: int, limit: int
) -> None:
    with opened(folder) as log:
        for one in curves(log.history("a"), COLUMNS, NAMES, first, last, limit):
            whole = reader(one["name"], COLUMNS)(rows)
            steps = np.array(one["steps"])
            assert np.array_equal(np.array(one["values"], float), whole[steps], equal_nan=True)
            assert (np.diff(steps) > 0).all()
            assert first <= steps[0]
            assert steps[-1] == last
            part = whole[first : last + 1]
            assert {first + int(np.nanargmin(part)), first + int(np.nanargmax(part))} <= set(one["steps"])
            assert len(steps) <= 1.6 * limit + 10
        assert 60_000 in curves(log.history("a"), COLUMNS, ["loss"], first, last, limit)[0]["steps"]


def test_a_short_series_is_exact(
    folder: Path, rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]
) -> None:
    with opened(folder) as log:
        name = "hidden_linear.weight[1, 0]"
        for one in curves(log.history("a"), COLUMNS, [*NAMES, name], 41_000, 41_499, 1000):
            assert one["steps"] == list(range(41_000, 41_500))
            assert np.array_equal(one["values"], reader(one["name"], COLUMNS)(rows)[41_000:41_500])


def test_thinned_steps_leave_their_extremes(tmp_path: Path) -> None:
    rows = records(8000)
    rows[1234, 0] = 1e6
    with opened(tmp_path) as log:
        begin(log, "a")
        write(log, "a", rows)
        room = Room(log, 1)
        while room.tidy():
            pass
        assert log.frame("a", 1234) is None
        [loss] = curves(log.history("a"), COLUMNS, ["loss"], 1100, 1300, 1000)
        assert 1234 in loss["steps"]
        assert np.array_equal(loss["values"], rows[loss["steps"], 0].astype(float))
        [whole] = curves(log.history("a"), COLUMNS, ["hidden_linear.weight[0, 0]"], 0, 7999, 100)
        assert whole["steps"][-1] == 7999


@pytest.mark.parametrize("limit", [1, 20_001])
def test_limits_are_told(folder: Path, limit: int) -> None:
    with opened(folder) as log, pytest.raises(BadValue, match="2 to 20000"):
        curves(log.history("a"), COLUMNS, ["loss"], 0, 10, limit)
