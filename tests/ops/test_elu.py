"""tests.ops.test_elu: small arguments, the lower end, its alpha. Gradients and values: test_activations."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError
from fastcnn.ops import elu


def test_small_arguments_and_lower_end():
    x = Tensor(np.array([-1e-12, -1e-300, -0.0, -np.inf, -1e4]), requires_grad=True)
    y = elu(x, 2.0)
    y.backward(np.ones(5))
    np.testing.assert_allclose(y.data, [-2e-12, -2e-300, 0, -2, -2], rtol=1e-11)
    np.testing.assert_allclose(x.grad.data, [2, 2, 2, 0, 0], rtol=1e-11)


@pytest.mark.parametrize("alpha", [None, "1", float("nan")])
def test_bad_alpha(alpha):
    with pytest.raises(ArgumentError, match=r"^elu: alpha must be "):
        elu([1.0], alpha)
