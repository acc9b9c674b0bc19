"""tests.ops.test_matmul: the matrix product."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import DtypeError, ShapeError
from fastcnn.ops import matmul

from .draws import gradcheck, real

ROWS = [
    ((3, 4), (4, 5)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((4,), (4,)),
    ((2, 3, 4), (4, 5)),
    ((2, 3, 4), (4,)),
    ((0, 4), (4, 5)),
    ((3, 0), (0, 5)),
    ((1, 1), (1, 1)),
]


@pytest.mark.parametrize(("left", "right"), ROWS)
def test_gradient(left, right):
    assert gradcheck(matmul, (real(*left), real(*right, seed=1)), mode="full")


@pytest.mark.parametrize(("left", "right"), ROWS)
def test_value(left, right):
    a, b = real(*left), real(*right, seed=1)
    y = Tensor(a) @ b
    np.testing.assert_allclose(y.data, a @ b, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose((a @ Tensor(b)).data, y.data)


@pytest.mark.parametrize(
    ("x", "y", "error", "text"),
    [
        (np.ones((2, 3)), np.ones((4, 3)), ShapeError, r"the last axis of x .*\(x.shape=\(2, 3\), y.shape=\(4, 3\)\)"),
        (np.ones(()), np.ones((4, 3)), ShapeError, "x needs at least 1 axis, y 1 or 2"),
        (np.ones((2, 3)), np.ones((2, 3, 4)), ShapeError, "x needs at least 1 axis, y 1 or 2"),
        (np.ones((2, 3)), np.ones((3, 4), "f"), DtypeError, "x and y must have the same dtype"),
        (np.ones((2, 3), int), np.ones((3, 4)), DtypeError, "x must be float32 or float64, got int64"),
        (np.ones((2, 3)), 2.0, DtypeError, "x and y must have the same dtype"),
    ],
)
def test_bad_input(x, y, error, text):
    with pytest.raises(error, match="^matmul: " + text):
        matmul(x, y)
