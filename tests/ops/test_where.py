"""tests.ops.test_where: one of two values by a condition."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import DtypeError, ShapeError
from fastcnn.ops import where
from fastcnn.reference import choice

from .draws import PAIRS, gradcheck, real

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_gradient_and_value(left, right):
    full = np.broadcast_shapes(left, right)
    for shape in (full, full[1:], ()):
        c, x, y = RNG.random(shape) < 0.5, real(*left), real(*right, seed=1)
        assert gradcheck(lambda x, y, c=c: where(c, x, y), (x, y), mode="full")
        assert np.array_equal(where(Tensor(c), x, y).data, choice.where(c, x, y))


def test_the_condition_may_be_the_largest():
    x = Tensor(real(1, 4), requires_grad=True)
    c = RNG.random((3, 4)) < 0.5
    x.where(c, 2.0).sum().backward()
    assert np.array_equal(x.grad.data, c.sum(0, keepdims=True))


def test_what_is_not_taken_has_no_part_in_the_gradient():
    x, y = (Tensor(np.array([np.nan, 4.0, 1.0]), requires_grad=True) for _ in range(2))
    z = where([False, True, False], x, y)
    z.backward(np.array([np.inf, 2.0, np.nan]))
    assert np.array_equal(z.data, [np.nan, 4, 1], equal_nan=True) and x.grad.data.tolist() == [0, 2, 0]
    assert np.array_equal(y.grad.data, [np.inf, 0, np.nan], equal_nan=True)


@pytest.mark.parametrize(
    ("x", "y", "dtype"),
    [
        (1.0, 0, np.float32),
        (1, 0, np.int64),
        (True, False, np.bool_),
        (1, 0.5, np.float32),
        (np.ones(2, np.float32), True, np.float32),
        (0.0, np.ones(2), np.float64),
        (np.ones(2, np.int64), 2, np.int64),
        (np.ones(2, np.int64), np.ones(2, np.int32), np.int64),
        (np.ones(2, np.int32), np.zeros(2, np.float32), np.float32),
    ],
)
def test_types(x, y, dtype):
    z = where([True, False], x, y)
    assert z.dtype == dtype and np.array_equal(z.data, np.where([True, False], x, y))


def test_bad_input():
    with pytest.raises(DtypeError, match=r"^where: condition must be bool, got float64 \(condition.shape=\(3,\)\)"):
        where(np.ones(3), np.ones(3), 0.0)
    with pytest.raises(
        ShapeError, match=r"^where: shapes do not broadcast \(condition.shape=\(4,\), x.shape=\(2, 3\), y.shape=\(\)\)"
    ):
        where(np.ones(4, bool), np.ones((2, 3)), 0.0)
    with pytest.raises(DtypeError, match=r"^where: x and y must have the same dtype, got float32 and float64"):
        where([True], np.ones(1, np.float32), np.ones(1))
    with pytest.raises(DtypeError, match=r"^where: y must be a tensor or an array, got NoneType"):
        where([True], np.ones(1), None)
