"""tests.ops.test_sub: x - y."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import DtypeError, ShapeError
from fastcnn.ops import sub

from .draws import PAIRS, gradcheck, positive


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_gradient(left, right):
    assert gradcheck(sub, (positive(*left), positive(*right, seed=1)), mode="full")


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_value(left, right):
    a, b = positive(*left), positive(*right, seed=1)
    assert np.array_equal(sub(a, b).data, a - b)


@pytest.mark.parametrize("number", [3, 2.5, np.float64(0.3), np.int8(2)])
def test_number_takes_the_dtype_of_the_tensor(number):
    x = Tensor(positive(3).astype(np.float32), requires_grad=True)
    for y in (sub(x, number), sub(number, x)):
        assert y.dtype == np.float32
        y.sum().backward()
    assert x.grad.dtype == np.float32


def test_integers_join_floats():
    y = sub(np.arange(1, 4), positive(3).astype(np.float32))
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("x", "y", "error", "text"),
    [
        (np.ones((2, 3)), np.ones((4, 3)), ShapeError, r"^sub: shapes do not broadcast \(x.shape=\(2, 3\), y.shape=\(4, 3\)\)"),
        (np.ones(3, np.float32), np.ones(3), DtypeError, r"^sub: x and y must have the same dtype, got float32 and float64"),
        (np.ones(3), "text", DtypeError, r"^sub: y must be a tensor or an array, got str"),
        (np.ones(3), None, DtypeError, r"^sub: y must be a tensor or an array, got NoneType"),
        (np.ones(3), 1j, DtypeError, r"^sub: complex numbers are not supported"),
        (np.ones(3), np.ones(3, complex), DtypeError, r"^sub: y: .*got complex128"),
        (np.array([None]), np.ones(1), DtypeError, r"^sub: x: .*got object"),
        (np.ones(3), np.ones(3, np.float16), DtypeError, r"^sub: y: .*got float16"),
    ],
)
def test_bad_input(x, y, error, text):
    with pytest.raises(error, match=text):
        sub(x, y)


def test_booleans_cannot_be_subtracted():
    with pytest.raises(DtypeError, match=r"^sub: booleans cannot be subtracted"):
        sub(np.array([True]), np.array([False]))
