"""tests.ops.test_add: x + y."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import DtypeError, ShapeError
from fastcnn.ops import add, mul

from .draws import PAIRS, gradcheck, positive


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_gradient(left, right):
    assert gradcheck(add, (positive(*left), positive(*right, seed=1)), mode="full")


@pytest.mark.parametrize(("left", "right"), PAIRS.values(), ids=PAIRS)
def test_value(left, right):
    a, b = positive(*left), positive(*right, seed=1)
    assert np.array_equal(add(a, b).data, a + b)


@pytest.mark.parametrize("number", [3, 2.5, np.float64(0.3), np.int8(2)])
def test_number_takes_the_dtype_of_the_tensor(number):
    x = Tensor(positive(3).astype(np.float32), requires_grad=True)
    for y in (add(x, number), add(number, x)):
        assert y.dtype == np.float32
        y.sum().backward()
    assert x.grad.dtype == np.float32


def test_integers_join_floats():
    y = add(np.arange(1, 4), positive(3).astype(np.float32))
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("x", "y", "error", "text"),
    [
        (np.ones((2, 3)), np.ones((4, 3)), ShapeError, r"^add: shapes do not broadcast \(x.shape=\(2, 3\), y.shape=\(4, 3\)\)"),
        (np.ones(3, np.float32), np.ones(3), DtypeError, r"^add: x and y must have the same dtype, got float32 and float64"),
        (np.ones(3), "text", DtypeError, r"^add: y must be a tensor or an array, got str"),
        (np.ones(3), None, DtypeError, r"^add: y must be a tensor or an array, got NoneType"),
        (np.ones(3), 1j, DtypeError, r"^add: complex numbers are not supported"),
        (np.ones(3), np.ones(3, complex), DtypeError, r"^add: y: .*got complex128"),
        (np.array([None]), np.ones(1), DtypeError, r"^add: x: .*got object"),
        (np.ones(3), np.ones(3, np.float16), DtypeError, r"^add: y: .*got float16"),
    ],
)
def test_bad_input(x, y, error, text):
    with pytest.raises(error, match=text):
        add(x, y)


@pytest.mark.parametrize("op", [add, mul])
def test_large_arrays_give_the_bits_of_numpy(op):
    """Large enough for more than one thread."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 33, 40, 40), np.float32), rng.standard_normal((33, 1, 1), np.float32)
    assert x.size > 1 << 16
    for a, b in ((x, x[::-1]), (x, y), (y, x), (x, 3.0)):
        want = a + b if op is add else a * b
        np.testing.assert_array_equal(op(a, b).numpy(), want)
    with pytest.raises(ShapeError, match="do not broadcast"):
        op(x, x[:, :32])
