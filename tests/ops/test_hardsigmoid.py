"""tests.ops.test_hardsigmoid: its three pieces. Gradients and values: test_activations."""

from __future__ import annotations

import numpy as np

from fastcnn import Tensor
from fastcnn.ops import hardsigmoid


def test_three_pieces():
    x = Tensor(np.array([-4.0, -3.0, 0.0, 2.9, 3.0, 9.0]), requires_grad=True)
    y = hardsigmoid(x)
    y.backward(np.full(6, 6.0))
    np.testing.assert_allclose(y.data, [0, 0, 0.5, 5.9 / 6, 1, 1], rtol=1e-15)
    assert x.grad.data.tolist() == [0, 0, 1, 1, 0, 0]
