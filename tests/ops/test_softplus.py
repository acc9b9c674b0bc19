"""tests.ops.test_softplus: its threshold, its ends, bad options. Gradients and values: test_activations."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError
from fastcnn.ops import softplus


def test_threshold_and_ends():
    x = Tensor(np.array([-np.inf, -800.0, 0.0, 9.9, 10.1, np.inf]), requires_grad=True)
    y = softplus(x, 2.0, 20.0)
    y.backward(np.ones(6))
    np.testing.assert_allclose(y.data, [0, 0, np.log(2) / 2, 9.9 + np.log1p(np.exp(-19.8)) / 2, 10.1, np.inf], rtol=1e-14)
    np.testing.assert_allclose(x.grad.data, [0, 0, 0.5, 1 / (1 + np.exp(-19.8)), 1, 1], rtol=1e-14)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"beta": 0}, "beta must be above 0, got 0"),
        ({"beta": -1}, "beta must be between 0"),
        ({"threshold": None}, "threshold must be"),
    ],
)
def test_bad_options(options, text):
    with pytest.raises(ArgumentError, match=f"^softplus: {text}"):
        softplus([1.0], **options)
