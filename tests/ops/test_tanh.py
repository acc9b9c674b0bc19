"""tests.ops.test_tanh: odd, small arguments, the ends of its range. Gradients and values: test_activations."""

from __future__ import annotations

import numpy as np

from fastcnn import Tensor
from fastcnn.ops import tanh


def test_is_odd_and_exact_near_zero():
    x = np.array([0.0, 1e-300, 1e-20, 1e-8, 0.3, 700.0, np.inf])
    assert np.array_equal(tanh(-x).data, -tanh(x).data) and np.signbit(tanh(-x).data).all()
    np.testing.assert_allclose(tanh(x).data, np.tanh(x), rtol=1e-15)


def test_method_and_saved_result():
    x = Tensor([0.5, -2.0], requires_grad=True)
    y = x.tanh()
    assert y.node.op == "tanh" and y.node.saved is y.data
