"""tests.ops.test_softmax: softmax along an axis."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError
from fastcnn.ops import softmax

from .draws import gradcheck, real

ROWS = [((3, 5), -1), ((3, 5), 0), ((2, 3, 4, 5), 1), ((4,), 0), ((2, 1), 1), ((), 0), ((0, 4), 1), ((3, 0), 1)]


@pytest.mark.parametrize(("shape", "dim"), ROWS)
def test_gradient(shape, dim):
    assert gradcheck(lambda x: softmax(x, dim), real(*shape), mode="full")


def test_value():
    x = real(3, 5)
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax(x).data, p, rtol=1e-12)


def test_large_and_infinite_logits():
    y = softmax(Tensor(np.array([[1e4, 0.0], [-np.inf, 0.0]], np.float32)))
    assert np.array_equal(y.data, [[1, 0], [0, 1]])


def test_bad_input():
    with pytest.raises(ArgumentError, match=r"^softmax: dim must be between -2 and 1, got 2"):
        softmax(np.ones((2, 3)), 2)
    with pytest.raises(DtypeError, match=r"^softmax: x must be float32 or float64, got int64"):
        softmax([1, 2])
