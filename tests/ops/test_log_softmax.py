"""tests.ops.test_log_softmax: log_softmax along an axis."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError
from fastcnn.ops import log_softmax

from .draws import gradcheck, real

ROWS = [((3, 5), -1), ((3, 5), 0), ((2, 3, 4, 5), 1), ((4,), 0), ((2, 1), 1), ((), 0), ((0, 4), 1), ((3, 0), 1)]


@pytest.mark.parametrize(("shape", "dim"), ROWS)
def test_gradient(shape, dim):
    assert gradcheck(lambda x: log_softmax(x, dim), real(*shape), mode="full")


def test_value():
    x = real(3, 5)
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(log_softmax(x).data, np.log(p), rtol=1e-12)


def test_large_and_infinite_logits():
    y = log_softmax(Tensor(np.array([[1e4, 0.0], [-np.inf, 0.0]], np.float32)))
    assert np.array_equal(y.data, [[0, -1e4], [-np.inf, 0]])


def test_bad_input():
    with pytest.raises(ArgumentError, match=r"^log_softmax: dim must be between -2 and 1, got 2"):
        log_softmax(np.ones((2, 3)), 2)
    with pytest.raises(DtypeError, match=r"^log_softmax: x must be float32 or float64, got int64"):
        log_softmax([1, 2])
