"""tests.ops.test_relu: max(x, 0)."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import DtypeError
from fastcnn.ops import relu

from ..cases import LAYOUTS, RELU, lay
from .draws import distinct, gradcheck


@pytest.mark.parametrize("shape", [shape for shape in RELU.values() if np.prod(shape) < 1000])
def test_gradient(shape):
    assert gradcheck(relu, distinct(*shape))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_memory_layout(layout):
    x = distinct(2, 3, 4, 5)
    assert gradcheck(relu, lay(x, layout))
    assert np.array_equal(relu(lay(x, layout)).data, np.maximum(x, 0))


def test_special_values():
    x = Tensor([np.nan, -np.inf, np.inf, -0.0, 0.0], requires_grad=True)
    y = relu(x)
    y.backward(np.ones(5, np.float32))
    assert np.array_equal(y.data, [np.nan, 0, np.inf, 0, 0], equal_nan=True)
    assert x.grad.data.tolist()[1:] == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.ones(3, int), r"x must be float32 or float64, got int64 \(x.shape=\(3,\)\)"),
        (np.ones(3, np.float16), "x: .*got float16"),
        (np.ones(3, complex), "x: .*got complex128"),
        ("text", "x must be a tensor or an array, got str"),
        ({}, "x must be a tensor or an array, got dict"),
        (object(), "x: .*got object"),
    ],
)
def test_bad_input(x, text):
    with pytest.raises(DtypeError, match="^relu: " + text):
        relu(x)
