"""tests.ops.test_leaky_relu: its slope. Gradients and values: test_activations."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError
from fastcnn.ops import leaky_relu


def test_slope():
    x = Tensor([-2.0, 0.0, 2.0], requires_grad=True)
    y = leaky_relu(x, -0.5)
    y.backward(np.ones(3, np.float32))
    assert y.data.tolist() == [1, 0, 2] and x.grad.data.tolist() == [-0.5, -0.5, 1]


@pytest.mark.parametrize("slope", [None, "0.1", float("nan")])
def test_bad_slope(slope):
    with pytest.raises(ArgumentError, match=r"^leaky_relu: negative_slope must be "):
        leaky_relu([1.0], slope)
