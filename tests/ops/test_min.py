"""tests.ops.test_min: the least element, of all or along an axis."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.ops import argmin, min

from .draws import distinct, gradcheck

ROWS = [((3, 4), None, False), ((3, 4), 0, False), ((3, 4), 1, True), ((2, 3, 4), -2, False), ((5,), 0, False), ((), None, False)]


@pytest.mark.parametrize(("shape", "dim", "keepdim"), ROWS)
def test_gradient(shape, dim, keepdim):
    def least(x):
        y = min(x, dim, keepdim)
        return y if dim is None else y.values

    assert gradcheck(least, distinct(*shape), mode="full")


@pytest.mark.parametrize(("shape", "dim", "keepdim"), [row for row in ROWS if row[1] is not None])
def test_values_and_indices(shape, dim, keepdim):
    x = distinct(*shape)
    values, indices = min(x, dim, keepdim)
    assert np.array_equal(values.data, x.min(axis=dim, keepdims=keepdim))
    assert np.array_equal(indices.data, x.argmin(axis=dim, keepdims=keepdim))
    assert np.array_equal(argmin(x, dim, keepdim).data, indices.data)


def test_ties_share_the_gradient_of_all_and_the_first_takes_that_of_an_axis():
    x = Tensor([[5.0, 3.0, 3.0]], requires_grad=True)
    min(x).backward()
    assert x.grad.data.tolist() == [[0, 0.5, 0.5]]
    x.zero_grad()
    min(x, 1).values.sum().backward()
    assert x.grad.data.tolist() == [[0, 1, 0]]


def test_nan_wins():
    assert np.isnan(min([1.0, np.nan, 2.0]).item()) and min([1.0, np.nan], 0).indices.item() == 1


def test_of_two_tensors():
    x, y = Tensor(distinct(3, 4), requires_grad=True), distinct(4, seed=1) + 0.05
    for z in (min(x, y), x.min(Tensor(y))):
        assert np.array_equal(z.data, np.minimum(x.data, y)) and z.requires_grad


def test_bad_input():
    with pytest.raises(ShapeError, match=r"^min: x has no elements along dim=1 \(x.shape=\(2, 0\)\)"):
        min(np.ones((2, 0)), 1)
    with pytest.raises(ShapeError, match=r"^argmin: x has no elements"):
        argmin(np.ones((2, 0)))
    with pytest.raises(ArgumentError, match=r"^min: dim must be between"):
        min(np.ones((2, 3)), 2)
