"""tests.ops.test_reshape: another shape for the same elements."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.ops import reshape

from .draws import channels_last, gradcheck, real

ROWS = [((2, 6), (3, 4)), ((2, 6), -1), ((2, 3, 4), (6, -1)), ((1,), ()), ((), (1, 1)), ((0, 3), (3, 0)), ((2, 3, 4, 5), (2, 60))]


@pytest.mark.parametrize(("shape", "new"), ROWS)
def test_gradient(shape, new):
    assert gradcheck(lambda x: reshape(x, new), real(*shape), mode="full")


@pytest.mark.parametrize(("shape", "new"), ROWS)
def test_value(shape, new):
    x = real(*shape)
    assert np.array_equal(reshape(x, new).data, x.reshape(new))


def test_order_is_that_of_the_logical_shape():
    x = real(2, 3, 4, 5)
    assert np.array_equal(reshape(channels_last(x), (2, 60)).data, x.reshape(2, 60))


def test_one_pixel_images_share_memory():
    x = Tensor(channels_last(real(2, 8, 1, 1)))
    assert np.shares_memory(x.reshape(2, 8).data, x.data)


@pytest.mark.parametrize(
    ("shape", "error", "text"),
    [
        ((4, 4), ShapeError, r"^reshape: 6 elements do not fit into shape \(4, 4\) \(x.shape=\(2, 3\)\)"),
        ((-1, -1), ShapeError, "do not fit"),
        ((-2, -3), ShapeError, "do not fit"),
        ((4, -1), ShapeError, "do not fit"),
        ((2**62, 2**62), ShapeError, "do not fit"),
        ((2**70,), ShapeError, "do not fit"),
        ((2.0, 3.0), ArgumentError, "^reshape: shape must be an int"),
        ("ab", ArgumentError, "^reshape: shape must be an int"),
    ],
)
def test_bad_input(shape, error, text):
    with pytest.raises(error, match=text):
        reshape(np.ones((2, 3)), shape)
