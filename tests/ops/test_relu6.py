"""tests.ops.test_relu6: the ends of the interval. Gradients and values: test_activations."""

from __future__ import annotations

import numpy as np

from fastcnn import Tensor
from fastcnn.ops import clamp, relu6


def test_gradient_at_the_ends_is_zero_unlike_that_of_clamp():
    values = [-1.0, -0.0, 0.0, 1e-30, 5.9, 6.0, 7.0, np.nan]
    x, z = Tensor(values, requires_grad=True), Tensor(values, requires_grad=True)
    relu6(x).backward(np.ones(8, np.float32))
    clamp(z, 0, 6).backward(np.ones(8, np.float32))
    assert x.grad.data.tolist() == [0, 0, 0, 1, 1, 0, 0, 1]
    assert z.grad.data.tolist() == [0, 1, 1, 1, 1, 1, 0, 0]
