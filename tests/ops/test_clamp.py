"""tests.ops.test_clamp: values limited to an interval."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError
from fastcnn.ops import clamp

from .draws import distinct, gradcheck

LIMITS = [(-0.4, 0.4), (None, 0.3), (-0.3, None), (0, 6), (5, 6)]


@pytest.mark.parametrize(("low", "high"), LIMITS)
def test_gradient(low, high):
    assert gradcheck(lambda x: clamp(x, low, high), distinct(4, 5), mode="full")


@pytest.mark.parametrize(("low", "high"), LIMITS)
def test_value(low, high):
    x = distinct(4, 5)
    assert np.array_equal(clamp(x, low, high).data, np.clip(x, low, high))


def test_nan_stays_and_limits_pass_the_gradient():
    x = Tensor([np.nan, 0.0, 6.0, 7.0], requires_grad=True)
    y = clamp(x, 0, 6)
    y.sum().backward()
    assert np.array_equal(y.data, [np.nan, 0, 6, 6], equal_nan=True)
    assert x.grad.data.tolist()[1:] == [1, 1, 0]


def test_bad_input():
    with pytest.raises(ArgumentError, match=r"^clamp: at least one of min and max is needed"):
        clamp([1.0])
    with pytest.raises(DtypeError, match=r"^clamp: x must be float32 or float64, got int64"):
        clamp([1], 0, 6)
