"""tests.ops.test_concat: tensors joined along an axis."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import concat

from .draws import channels_last, gradcheck, real

ROWS = [
    ([(2, 3), (4, 3)], 0),
    ([(2, 3), (2, 1), (2, 2)], 1),
    ([(2, 3, 4, 4), (2, 5, 4, 4)], -3),
    ([(3,)], 0),
    ([(0, 3), (2, 3)], 0),
]


@pytest.mark.parametrize(("shapes", "dim"), ROWS)
def test_gradient(shapes, dim):
    inputs = tuple(real(*shape, seed=i) for i, shape in enumerate(shapes))
    assert gradcheck(lambda *tensors: concat(tensors, dim), inputs)


@pytest.mark.parametrize(("shapes", "dim"), ROWS)
def test_value(shapes, dim):
    inputs = [real(*shape, seed=i) for i, shape in enumerate(shapes)]
    assert np.array_equal(concat(inputs, dim).data, np.concatenate(inputs, dim))


def test_gradients_are_not_views_of_each_other():
    a, b = Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)
    concat([a, b]).sum().backward()
    a.grad.data[...] = 7
    assert b.grad.item() == 1


def test_keeps_channels_last_memory():
    x = channels_last(real(2, 3, 4, 5))
    assert concat([x, x], 1).data.strides[1] == 8


@pytest.mark.parametrize(
    ("tensors", "dim", "error", "text"),
    [
        (
            [np.ones((2, 3)), np.ones((2, 4))],
            0,
            ShapeError,
            r"^concat: sizes differ outside of dim=0 \(shapes \[\(2, 3\), \(2, 4\)\]\)",
        ),
        ([np.ones((2, 3)), np.ones(3)], 0, ShapeError, "^concat: sizes differ"),
        ([np.ones(2), np.ones(2, np.float32)], 0, DtypeError, r"^concat: x and tensors\[1\] must have the same dtype"),
        ([], 0, ArgumentError, "^concat: tensors must be a tuple or list"),
        (np.ones((2, 3)), 0, ArgumentError, "^concat: tensors must be a tuple or list"),
        ([np.ones(()), np.ones(())], 0, ShapeError, "^concat: tensors without axes"),
        ([np.ones(2), np.ones(2)], 1, ArgumentError, "^concat: dim must be between -1 and 0"),
    ],
)
def test_bad_input(tensors, dim, error, text):
    with pytest.raises(error, match=text):
        concat(tensors, dim)
