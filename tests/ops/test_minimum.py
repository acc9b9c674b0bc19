"""tests.ops.test_minimum: the smaller of x and y."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import DtypeError, ShapeError
from fastcnn.ops import minimum
from fastcnn.reference import choice

from .draws import PAIRS, distinct, gradcheck


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_gradient(left, right):
    assert gradcheck(minimum, (distinct(*left), distinct(*right, seed=1) + 0.05), mode="full")


@pytest.mark.parametrize("number", [0, -0.5, np.float64(0.3)])
def test_numbers(number):
    x = Tensor(distinct(3, 4).astype(np.float32), requires_grad=True)
    for y in (minimum(x, number), minimum(number, x), x.minimum(number)):
        assert y.dtype == np.float32 and np.array_equal(y.data, choice.minimum(x.data, np.float32(number)))
        x.grad = None
        y.sum().backward()
        assert np.array_equal(x.grad.data, x.data < number)


def test_equal_ones_get_half_of_the_gradient_each():
    x, y = (Tensor(values, requires_grad=True) for values in ([1.0, 2.0, np.nan, 0.0], [1.0, 3.0, 0.0, -0.0]))
    z = minimum(x, y)
    z.backward(np.array([2, 4, 6, 8], z.dtype))
    assert np.array_equal(z.data, [1, 2, np.nan, 0], equal_nan=True)
    assert x.grad.data.tolist() == [1, 4, 6, 4] and y.grad.data.tolist() == [1, 0, 6, 4]


def test_integers():
    assert minimum(np.array([1, 5]), 3).data.tolist() == [1, 3]
    assert minimum(np.array([1, 5]), np.array([2.0, 2.0])).data.tolist() == [1, 2]


def test_bad_input():
    with pytest.raises(ShapeError, match=r"^minimum: shapes do not broadcast \(x.shape=\(2, 3\), y.shape=\(4, 3\)\)"):
        minimum(np.ones((2, 3)), np.ones((4, 3)))
    with pytest.raises(DtypeError, match=r"^minimum: x and y must have the same dtype, got float32 and float64"):
        minimum(np.ones(3, np.float32), np.ones(3))
    with pytest.raises(DtypeError, match=r"^minimum: y must be a tensor or an array, got NoneType"):
        minimum(np.ones(3), None)
