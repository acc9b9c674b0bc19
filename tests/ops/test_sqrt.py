"""tests.ops.test_sqrt: the square root."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import DtypeError
from fastcnn.ops import sqrt

from .draws import SHAPES, gradcheck, positive


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_gradient(shape):
    assert gradcheck(sqrt, positive(*shape), mode="full")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_value(shape):
    x = positive(*shape)
    assert np.array_equal(sqrt(x).data, np.sqrt(x))


@pytest.mark.parametrize("x", [[1, 2], [True], np.ones(2, np.uint8)])
def test_bad_input(x):
    with pytest.raises(DtypeError, match=r"^sqrt: x must be float32 or float64, got"):
        sqrt(x)


def test_special_values_are_silent():
    assert np.array_equal(sqrt([0.0, -1.0, np.inf]).data, [0, np.nan, np.inf], equal_nan=True)
