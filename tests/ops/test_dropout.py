"""tests.ops.test_dropout: elements zeroed at random, repeatably."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, manual_seed
from fastcnn.errors import ArgumentError
from fastcnn.ops import dropout

from .draws import channels_last, gradcheck, real


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,), (), (0, 2)])
def test_gradient(shape):
    def seeded(x):
        manual_seed(3)
        return dropout(x, 0.4)

    assert gradcheck(seeded, real(*shape), mode="full")


def test_share_scale_and_mean():
    manual_seed(0)
    y = dropout(np.ones(100_000, np.float32), 0.25).data
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.01 and abs(y.mean() - 1) < 0.01


def test_the_seed_repeats_it():
    def draw():
        manual_seed(5)
        return dropout(np.ones(50)).data

    assert np.array_equal(draw(), draw())


def test_nothing_to_do_returns_x():
    x = Tensor(real(3))
    assert dropout(x, 0.5, training=False) is x and dropout(x, 0.0) is x


def test_all_dropped():
    x = Tensor(real(3), requires_grad=True)
    y = dropout(x, 1.0)
    y.sum().backward()
    assert not y.data.any() and not x.grad.data.any()


def test_keeps_channels_last_memory():
    x = channels_last(real(2, 3, 4, 5))
    assert dropout(x, 0.5).data.strides == x.strides


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_bad_input(p):
    with pytest.raises(ArgumentError, match=r"^dropout: p must be between 0 and 1"):
        dropout(np.ones(3), p)
