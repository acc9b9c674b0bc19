"""tests.ops.test_hardswish: its three pieces. Gradients and values: test_activations."""

from __future__ import annotations

import numpy as np

from fastcnn import Tensor
from fastcnn.ops import hardswish


def test_three_pieces():
    x = Tensor(np.array([-4.0, -3.0, 0.0, 1.5, 3.0, 9.0]), requires_grad=True)
    y = hardswish(x)
    y.backward(np.ones(6))
    assert y.data.tolist() == [0, 0, 0, 1.125, 3, 9]
    assert x.grad.data.tolist() == [0, 0, 0.5, 1, 1, 1]
