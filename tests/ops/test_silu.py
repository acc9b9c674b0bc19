"""tests.ops.test_silu: its lowest point and its ends. Gradients and values: test_activations."""

from __future__ import annotations

import numpy as np

from fastcnn import Tensor
from fastcnn.ops import silu


def test_lowest_point_and_ends():
    x = Tensor(np.array([-1.2784645427610738, -800.0, 800.0]), requires_grad=True)
    y = silu(x)
    y.backward(np.ones(3))
    np.testing.assert_allclose(y.data, [-0.2784645427610738, 0, 800], rtol=1e-14)
    np.testing.assert_allclose(x.grad.data, [0, 0, 1], atol=1e-15)
