"""tests.ops.test_cast: the same values in another dtype."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import DtypeError
from fastcnn.ops import cast

from .draws import channels_last, real


def test_gradient_comes_back_in_the_dtype_of_x():
    x = Tensor(real(2, 3).astype(np.float32), requires_grad=True)
    y = cast(x, np.float64)
    y.backward(np.full((2, 3), 0.5))
    assert y.dtype == np.float64 and np.array_equal(y.data, x.data)
    assert x.grad.dtype == np.float32 and (x.grad.data == 0.5).all()


def test_same_dtype_returns_x():
    x = Tensor([1.0])
    assert cast(x, "float32") is x


def test_integers_leave_the_tape():
    y = cast(Tensor([1.5, -1.5], requires_grad=True), np.int64)
    assert not y.requires_grad and y.data.tolist() == [1, -1]


def test_keeps_channels_last_memory():
    x = channels_last(real(2, 3, 4, 5))
    assert cast(x, np.float32).data.strides == tuple(s // 2 for s in x.strides)


@pytest.mark.parametrize("dtype", ["float16", complex, object, "nonsense"])
def test_bad_dtype(dtype):
    with pytest.raises(DtypeError, match="dtype must be float32, float64, an integer type or bool, got"):
        cast([1.0], dtype)
