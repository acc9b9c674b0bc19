"""tests.ops.test_l1_loss: the gradient is a sign. Values and gradients of all shapes: test_mse_loss."""

from __future__ import annotations

import numpy as np

from fastcnn import Tensor
from fastcnn.ops import l1_loss


def test_gradient_is_a_sign_times_the_share():
    x, t = Tensor([3.0, -1.0, 2.0, 2.0], requires_grad=True), Tensor([1.0, 1.0, 2.0, 2.5], requires_grad=True)
    l1_loss(x, t).backward()
    assert x.grad.data.tolist() == [0.25, -0.25, 0, -0.25]
    np.testing.assert_array_equal(t.grad.data, -x.grad.data)
