"""The built-in data sets are small, finite, described, and the same on every machine."""

import math

import pytest

from livegrad.datasets import DATASETS, Dataset

ALL = DATASETS.values()


@pytest.mark.parametrize("dataset", ALL, ids=lambda d: d.name)
def test_points_are_finite_and_enough_for_training_and_validation(dataset: Dataset) -> None:
    assert len(dataset.x) == len(dataset.y)
    assert all(map(math.isfinite, dataset.x + dataset.y))
    assert dataset.training_size + dataset.validation_size == len(dataset.x)
    assert dataset.training_size > dataset.validation_size >= 1
    assert dataset.title
    assert dataset.description
    assert dataset.x_axis.name
    assert dataset.y_axis.name


def test_the_thermometer_has_nine_training_and_two_validation_points_fed_a_tenth() -> None:
    thermometer = DATASETS["temperature"]
    assert (thermometer.training_size, thermometer.validation_size) == (9, 2)
    assert (thermometer.x_axis.name, thermometer.y_axis.name) == ("t_u", "t_c")
    assert thermometer.x_axis.scale == 0.1


def test_the_noise_is_the_same_everywhere() -> None:
    line = DATASETS["line"]
    residuals = [y - (1.5 * x - 0.5) for x, y in zip(line.x, line.y, strict=True)]
    assert sum(map(abs, residuals)) / len(residuals) == pytest.approx(
        0.3 * math.sqrt(2 / math.pi), rel=0.5
    )
    assert line.y[:3] == (-3.591907, -3.026952, -3.062774)
