"""tests.ops.test_abs: the absolute value. Gradients and values: test_activations."""

from __future__ import annotations

import numpy as np

from fastcnn import Tensor


def test_gradient_at_zero_and_integers():
    x = Tensor([-2.0, 0.0, 3.0], requires_grad=True)
    abs(x).sum().backward()
    assert x.grad.data.tolist() == [-1, 0, 1]
    assert Tensor(np.array([-2, 3])).abs().data.tolist() == [2, 3]
