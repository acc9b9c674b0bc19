"""tests.ops.test_neg: -x."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import DtypeError
from fastcnn.ops import neg

from .draws import SHAPES, gradcheck, real


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_gradient(shape):
    assert gradcheck(neg, real(*shape), mode="full")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_value(shape):
    x = real(*shape)
    assert np.array_equal(neg(x).data, -x)


def test_bad_input():
    with pytest.raises(DtypeError, match=r"^neg: x must be a number, got bool \(x.shape=\(1,\)\)"):
        neg([True])
