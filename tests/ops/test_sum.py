"""tests.ops.test_sum: the sum over axes."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError
from fastcnn.ops import concat, dropout, mean, pad, sum

from .draws import REDUCTIONS, channels_last, gradcheck, real


@pytest.mark.parametrize(("shape", "dim", "keepdim"), REDUCTIONS.values(), ids=REDUCTIONS)
def test_gradient(shape, dim, keepdim):
    assert gradcheck(lambda x: sum(x, dim, keepdim), real(*shape), mode="full")


@pytest.mark.parametrize(("shape", "dim", "keepdim"), REDUCTIONS.values(), ids=REDUCTIONS)
def test_value(shape, dim, keepdim):
    x = real(*shape)
    y = sum(x, dim, keepdim)
    np.testing.assert_allclose(y.data, x.sum(axis=dim, keepdims=keepdim), rtol=1e-12)
    assert y.dtype == np.float64


def test_channels_last():
    x = real(2, 3, 4, 5)
    np.testing.assert_allclose(sum(channels_last(x), (2, 3)).data, x.sum(axis=(2, 3)), rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "dim", "error", "text"),
    [
        (np.ones((2, 3)), 2, ArgumentError, r"^sum: dim must be between -2 and 1, got 2"),
        (np.ones((2, 3)), -3, ArgumentError, r"^sum: dim must be between -2 and 1, got -3"),
        (np.ones((2, 3)), 1.0, ArgumentError, r"^sum: dim must be an int, got 1.0"),
        (np.ones((2, 3)), (0, 0), ArgumentError, r"^sum: dim must name each axis once"),
        (np.array(["a"]), 0, DtypeError, r"^sum: x: "),
    ],
)
def test_bad_input(x, dim, error, text):
    with pytest.raises(error, match=text):
        sum(x, dim)


def test_integers_and_nothing():
    assert sum([True, True, False]).item() == 2
    assert sum(Tensor(np.zeros((0, 3), np.float32)), 0).data.tolist() == [0, 0, 0]


@pytest.mark.parametrize("axes", [9, 20])
def test_more_axes_than_kernels_take(axes):
    def gradient(*lead):
        x, w = Tensor(np.arange(1.0, 7.0).reshape(*lead, 2, 3), True), Tensor(np.ones((2, 3)), True)
        y = concat([pad(x * w, (1, 1), value=2.0), x[..., :1]], -1)
        (sum(y * y, -1).mean(-1) + mean(dropout(x, 1.0))).backward(np.ones(lead))
        return x.grad.data.reshape(2, 3), w.grad.data

    for many, few in zip(gradient(*(1,) * (axes - 2)), gradient(), strict=True):
        np.testing.assert_allclose(many, few, rtol=1e-14)
