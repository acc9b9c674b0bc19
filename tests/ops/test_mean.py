"""tests.ops.test_mean: the mean over axes."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError
from fastcnn.ops import mean

from .draws import REDUCTIONS, channels_last, gradcheck, real


@pytest.mark.parametrize(("shape", "dim", "keepdim"), REDUCTIONS.values(), ids=REDUCTIONS)
def test_gradient(shape, dim, keepdim):
    assert gradcheck(lambda x: mean(x, dim, keepdim), real(*shape), mode="full")


@pytest.mark.parametrize(("shape", "dim", "keepdim"), REDUCTIONS.values(), ids=REDUCTIONS)
def test_value(shape, dim, keepdim):
    x = real(*shape)
    y = mean(x, dim, keepdim)
    np.testing.assert_allclose(y.data, x.mean(axis=dim, keepdims=keepdim), rtol=1e-12)
    assert y.dtype == np.float64


def test_channels_last():
    x = real(2, 3, 4, 5)
    np.testing.assert_allclose(mean(channels_last(x), (2, 3)).data, x.mean(axis=(2, 3)), rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "dim", "error", "text"),
    [
        (np.ones((2, 3)), 2, ArgumentError, r"^mean: dim must be between -2 and 1, got 2"),
        (np.ones((2, 3)), -3, ArgumentError, r"^mean: dim must be between -2 and 1, got -3"),
        (np.ones((2, 3)), 1.0, ArgumentError, r"^mean: dim must be an int, got 1.0"),
        (np.ones((2, 3)), (0, 0), ArgumentError, r"^mean: dim must name each axis once"),
        (np.array(["a"]), 0, DtypeError, r"^mean: x: "),
    ],
)
def test_bad_input(x, dim, error, text):
    with pytest.raises(error, match=text):
        mean(x, dim)


def test_integers_and_nothing():
    assert mean([True, True, False, True]).item() == 0.75 and mean([1, 2]).dtype == np.float32
    assert np.isnan(mean(Tensor(np.zeros(0, np.float32))).item())
