"""tests.ops.test_div: x / y."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import DtypeError, ShapeError
from fastcnn.ops import div

from .draws import PAIRS, gradcheck, positive


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_gradient(left, right):
    assert gradcheck(div, (positive(*left), positive(*right, seed=1)), mode="full")


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_value(left, right):
    a, b = positive(*left), positive(*right, seed=1)
    assert np.array_equal(div(a, b).data, a / b)


@pytest.mark.parametrize("number", [3, 2.5, np.float64(0.3), np.int8(2)])
def test_number_takes_the_dtype_of_the_tensor(number):
    x = Tensor(positive(3).astype(np.float32), requires_grad=True)
    for y in (div(x, number), div(number, x)):
        assert y.dtype == np.float32
        y.sum().backward()
    assert x.grad.dtype == np.float32


def test_integers_join_floats():
    y = div(np.arange(1, 4), positive(3).astype(np.float32))
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("x", "y", "error", "text"),
    [
        (np.ones((2, 3)), np.ones((4, 3)), ShapeError, r"^div: shapes do not broadcast \(x.shape=\(2, 3\), y.shape=\(4, 3\)\)"),
        (np.ones(3, np.float32), np.ones(3), DtypeError, r"^div: x and y must have the same dtype, got float32 and float64"),
        (np.ones(3), "text", DtypeError, r"^div: y must be a tensor or an array, got str"),
        (np.ones(3), None, DtypeError, r"^div: y must be a tensor or an array, got NoneType"),
        (np.ones(3), 1j, DtypeError, r"^div: complex numbers are not supported"),
        (np.ones(3), np.ones(3, complex), DtypeError, r"^div: y: .*got complex128"),
        (np.array([None]), np.ones(1), DtypeError, r"^div: x: .*got object"),
        (np.ones(3), np.ones(3, np.float16), DtypeError, r"^div: y: .*got float16"),
    ],
)
def test_bad_input(x, y, error, text):
    with pytest.raises(error, match=text):
        div(x, y)


def test_division_by_zero_is_silent():
    assert np.array_equal(div([1.0, -1.0, 0.0], [0.0, 0.0, 0.0]).data, [np.inf, -np.inf, np.nan], equal_nan=True)


def test_integers_are_divided_as_float32():
    y = div(np.array([1, 3]), 2)
    assert y.dtype == np.float32 and y.data.tolist() == [0.5, 1.5]
