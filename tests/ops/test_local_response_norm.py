"""tests.ops.test_local_response_norm: windows of every size, the ends of the channels."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.ops import local_response_norm

from .draws import channels_last, gradcheck, real


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11])
@pytest.mark.parametrize("shape", [(2, 6, 3, 2), (3, 4), (1, 1, 2, 2), (0, 3, 2, 2)])
def test_gradient_and_value(shape, size):
    x, (alpha, beta, k) = real(*shape), (0.4, 0.7, 1.2)
    assert gradcheck(lambda x: local_response_norm(x, size, alpha, beta, k), x)
    want = np.empty_like(x)
    for c in range(shape[1]):
        window = x[:, max(0, c - size // 2) : c + (size - 1) // 2 + 1]
        want[:, c] = x[:, c] / (k + alpha / size * (window**2).sum(axis=1)) ** beta
    np.testing.assert_allclose(local_response_norm(channels_last(x) if x.ndim == 4 else x, size, alpha, beta, k).data, want)


def test_bad_input():
    with pytest.raises(ShapeError, match=r"^local_response_norm: x must have at least 2 axes"):
        local_response_norm(np.ones(3), 1)
    with pytest.raises(ArgumentError, match=r"^local_response_norm: size must be at least 1, got 0"):
        local_response_norm(np.ones((2, 3)), 0)
    with pytest.raises(ArgumentError, match=r"^local_response_norm: beta must be a number"):
        local_response_norm(np.ones((2, 3)), 1, beta=None)
