"""tests.ops.test_pow: x ** y."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import pow

from .draws import PAIRS, gradcheck, positive


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_gradient(left, right):
    assert gradcheck(pow, (positive(*left), positive(*right, seed=1)), mode="full")


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_value(left, right):
    a, b = positive(*left), positive(*right, seed=1)
    np.testing.assert_allclose(pow(a, b).data, a**b, rtol=1e-15)


@pytest.mark.parametrize("number", [3, 2.5, np.float64(0.3), np.int8(2)])
def test_number_takes_the_dtype_of_the_tensor(number):
    x = Tensor(positive(3).astype(np.float32), requires_grad=True)
    for y in (pow(x, number), pow(number, x)):
        assert y.dtype == np.float32
        y.sum().backward()
    assert x.grad.dtype == np.float32


def test_integers_join_floats():
    y = pow(np.arange(1, 4), positive(3).astype(np.float32))
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("x", "y", "error", "text"),
    [
        (np.ones((2, 3)), np.ones((4, 3)), ShapeError, r"^pow: shapes do not broadcast \(x.shape=\(2, 3\), y.shape=\(4, 3\)\)"),
        (np.ones(3, np.float32), np.ones(3), DtypeError, r"^pow: x and y must have the same dtype, got float32 and float64"),
        (np.ones(3), "text", DtypeError, r"^pow: y must be a tensor or an array, got str"),
        (np.ones(3), None, DtypeError, r"^pow: y must be a tensor or an array, got NoneType"),
        (np.ones(3), 1j, DtypeError, r"^pow: complex numbers are not supported"),
        (np.ones(3), np.ones(3, complex), DtypeError, r"^pow: y: .*got complex128"),
        (np.array([None]), np.ones(1), DtypeError, r"^pow: x: .*got object"),
        (np.ones(3), np.ones(3, np.float16), DtypeError, r"^pow: y: .*got float16"),
    ],
)
def test_bad_input(x, y, error, text):
    with pytest.raises(error, match=text):
        pow(x, y)


@pytest.mark.parametrize(
    ("base", "exponent", "slope"), [(0.0, 2, 0.0), (0.0, 1, 1.0), (0.0, 0, 0.0), (-2.0, 3, 12.0), (-2.0, 2, -4.0)]
)
def test_slope_at_zero_and_below(base, exponent, slope):
    x = Tensor([base], requires_grad=True)
    pow(x, exponent).backward()
    assert x.grad.item() == slope


def test_integers_to_a_negative_power():
    with pytest.raises(ArgumentError, match=r"^pow: integers cannot be raised to a negative power"):
        pow(np.array([2]), -1)
