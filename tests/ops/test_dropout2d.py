"""tests.ops.test_dropout2d: whole channels, the scale, the seed."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, manual_seed
from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.ops import dropout2d

from .draws import gradcheck, real


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 4), (20, 30, 3, 2)])
@pytest.mark.parametrize("p", [0.2, 0.7, 1.0])
def test_whole_channels_are_dropped_or_scaled(shape, p):
    manual_seed(0)
    x = Tensor(np.ones(shape, np.float32), requires_grad=True)
    y = dropout2d(x, p)
    y.sum().backward()
    planes = y.data.reshape(600, -1)
    assert (planes == planes[:, :1]).all() and abs((planes[:, 0] == 0).mean() - p) < 0.06
    assert set(np.unique(planes)) <= {0, np.float32(1 / (1 - p) if p < 1 else 0)}
    np.testing.assert_array_equal(x.grad.data, y.data)


def test_gradient():
    def function(x):
        manual_seed(3)
        return dropout2d(x, 0.4)

    assert gradcheck(function, real(4, 5, 2, 2))


def test_not_in_evaluation():
    x = Tensor(real(2, 3, 2, 2))
    assert dropout2d(x, training=False) is x and dropout2d(x, 0.0) is x


def test_bad_input():
    with pytest.raises(ArgumentError, match=r"^dropout2d: p must be between 0 and 1, got 2"):
        dropout2d(np.ones((2, 3)), 2)
    with pytest.raises(ShapeError, match=r"^dropout2d: x must have at least 2 axes .* got x.shape=\(3,\)"):
        dropout2d(np.ones(3))
