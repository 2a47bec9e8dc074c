"""The split and the batches depend on the seed and the step alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livegrad.config import RunConfig
from livegrad.datasets import DATASETS
from livegrad.training.data import Batches, split


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_split_keeps_every_point_once(dataset: str) -> None:
    points = split(RunConfig.model_validate({"dataset": dataset, "seed": 5}))
    given_points = DATASETS[dataset]
    told = torch.cat([points.train[0], points.validation[0]]).flatten()
    fed = torch.tensor(given_points.x) * given_points.x_axis.scale
    assert sorted(told.tolist()) == sorted(fed.tolist())
    assert len(points.train[0]) == given_points.training_size
    assert points.train[0].dtype == points.train[1].dtype == torch.float32


def test_the_seed_alone_chooses_the_validation_points() -> None:
    def chosen(**asked: object) -> list[float]:
        points = split(RunConfig.model_validate({"dataset": "sine", **asked}))
        return list(points.validation[0].flatten().tolist())

    torch.manual_seed(99)
    assert chosen(seed=1) == chosen(seed=1, hidden=3, batch_size=4)
    assert chosen(seed=1) != chosen(seed=2)


TRAIN = (torch.arange(9.0).unsqueeze(1), -torch.arange(9.0).unsqueeze(1))


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(0, 2**53 - 1), st.integers(0, 50))
def test_each_pass_gives_every_point_once_with_its_own_answer(
    size: int, seed: int, number: int
) -> None:
    batches = Batches(TRAIN, size, seed)
    per_pass = -(-9 // size)
    first = number * per_pass + 1
    parts = [batches(step) for step in range(first, first + per_pass)]
    assert sorted(torch.cat([x for x, _ in parts]).flatten().tolist()) == list(range(9))
    assert all(torch.equal(x, -y) for x, y in parts)
    assert [len(x) for x, _ in parts[:-1]] == [size] * (per_pass - 1)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(0, 2**53 - 1), st.lists(st.integers(1, 200), max_size=8))
def test_a_batch_is_the_same_in_whatever_order_steps_are_asked_for(
    size: int, seed: int, steps: list[int]
) -> None:
    batches = Batches(TRAIN, size, seed)
    for step in steps:
        assert batches(step)[0].tolist() == Batches(TRAIN, size, seed)(step)[0].tolist()


def test_passes_and_seeds_have_orders_of_their_own() -> None:
    def order(seed: int, number: int) -> tuple[float, ...]:
        return tuple(Batches(TRAIN, 9, seed)(number + 1)[0].flatten().tolist())

    assert len({order(seed, number) for seed in range(10) for number in range(10)}) == 100


def test_without_a_batch_size_it_is_always_the_very_same_tensors() -> None:
    batches = Batches(TRAIN, None, 0)
    assert batches(1)[0] is batches(7)[0] is TRAIN[0]
