"""tests.ops.test_permute: axes in another order."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError
from fastcnn.ops import permute

from .draws import gradcheck, real

ROWS = [((2, 3), (1, 0)), ((2, 3, 4), (2, 0, 1)), ((2, 3, 4, 5), (0, -1, 1, 2)), ((), ()), ((3,), (0,)), ((0, 2), (1, 0))]


@pytest.mark.parametrize(("shape", "dims"), ROWS)
def test_gradient(shape, dims):
    assert gradcheck(lambda x: permute(x, dims), real(*shape), mode="full")


@pytest.mark.parametrize(("shape", "dims"), ROWS)
def test_value_shares_memory(shape, dims):
    x = real(*shape)
    y = permute(Tensor(x), dims)
    assert np.array_equal(y.data, x.transpose(dims)) and (x.size == 0 or np.shares_memory(y.data, x))


def test_methods():
    x = Tensor(real(2, 3, 4))
    assert x.permute(2, 0, 1).shape == x.permute((2, 0, 1)).shape == (4, 2, 3)
    assert x.transpose(0, -1).shape == x.T.shape == (4, 3, 2)


@pytest.mark.parametrize(
    ("dims", "text"),
    [
        ((0, 0), "must name each axis once"),
        ((0,), "must name each axis once"),
        ((0, 2), "must be between -2 and 1"),
        (1, "must be a tuple of ints"),
    ],
)
def test_bad_input(dims, text):
    with pytest.raises(ArgumentError, match=f"^permute: dims {text}"):
        permute(np.ones((2, 3)), dims)
