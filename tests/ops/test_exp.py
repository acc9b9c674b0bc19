"""tests.ops.test_exp: e ** x."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import DtypeError
from fastcnn.ops import exp

from .draws import SHAPES, gradcheck, real


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_gradient(shape):
    assert gradcheck(exp, real(*shape), mode="full")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_value(shape):
    x = real(*shape)
    np.testing.assert_allclose(exp(x).data, np.exp(x), rtol=1e-15)


@pytest.mark.parametrize("x", [[1, 2], [True], np.ones(2, np.uint8)])
def test_bad_input(x):
    with pytest.raises(DtypeError, match=r"^exp: x must be float32 or float64, got"):
        exp(x)


def test_special_values_are_silent():
    assert np.array_equal(exp([1e9, -np.inf, np.nan]).data, [np.inf, 0, np.nan], equal_nan=True)
