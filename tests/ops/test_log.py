"""tests.ops.test_log: the natural logarithm."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import DtypeError
from fastcnn.ops import log

from .draws import SHAPES, gradcheck, positive


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_gradient(shape):
    assert gradcheck(log, positive(*shape), mode="full")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_value(shape):
    x = positive(*shape)
    np.testing.assert_allclose(log(x).data, np.log(x), rtol=1e-15)


@pytest.mark.parametrize("x", [[1, 2], [True], np.ones(2, np.uint8)])
def test_bad_input(x):
    with pytest.raises(DtypeError, match=r"^log: x must be float32 or float64, got"):
        log(x)


def test_special_values_are_silent():
    assert np.array_equal(log([0.0, -1.0, np.inf]).data, [-np.inf, np.nan, np.inf], equal_nan=True)
