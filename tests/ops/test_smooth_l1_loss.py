"""tests.ops.test_smooth_l1_loss: where it bends, and its options. Values and gradients of all shapes: test_mse_loss."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError
from fastcnn.ops import smooth_l1_loss


@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
def test_is_smooth_at_beta(beta):
    d = np.array([-beta, beta, np.nextafter(beta, 0), np.nextafter(beta, 9)])
    x = Tensor(d, requires_grad=True)
    each = smooth_l1_loss(x, np.zeros(4), reduction="none", beta=beta)
    each.backward(np.ones(4))
    np.testing.assert_allclose(each.data, beta / 2, rtol=1e-12)
    np.testing.assert_allclose(x.grad.data, [-1, 1, 1, 1], rtol=1e-12)


@pytest.mark.parametrize("beta", [-1, float("nan"), "a"])
def test_bad_beta(beta):
    with pytest.raises(ArgumentError, match=r"^smooth_l1_loss: beta must be "):
        smooth_l1_loss(np.ones(2), np.ones(2), beta=beta)
