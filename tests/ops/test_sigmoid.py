"""tests.ops.test_sigmoid: the ends of its range. Gradients and values: test_activations."""

from __future__ import annotations

import numpy as np

from fastcnn import Tensor
from fastcnn.ops import sigmoid


def test_ends_and_method():
    x = Tensor(np.array([-np.inf, -1e30, -50.0, 0.0, 50.0, 1e30, np.inf]), requires_grad=True)
    y = x.sigmoid()
    np.testing.assert_allclose(y.data, [0, 0, 1.928749847963918e-22, 0.5, 1, 1, 1], rtol=1e-14)
    y.backward(np.ones(7))
    np.testing.assert_allclose(x.grad.data[:4], [0, 0, 1.928749847963918e-22, 0.25], rtol=1e-14)
    assert (x.grad.data[5:] == 0).all()


def test_the_result_is_saved():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = sigmoid(x)
    assert y.node.saved is y.data
