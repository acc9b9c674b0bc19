"""tests.ops.test_flatten: neighbouring axes made one."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError
from fastcnn.ops import flatten

from .draws import channels_last, gradcheck, real

ROWS = [
    ((2, 3, 4, 5), (1,), (2, 60)),
    ((2, 3, 4, 5), (0,), (120,)),
    ((2, 3, 4, 5), (2, 3), (2, 3, 20)),
    ((2, 3, 4, 5), (-2, -1), (2, 3, 20)),
    ((3,), (0,), (3,)),
    ((), (0,), (1,)),
    ((0, 3, 4), (1,), (0, 12)),
    ((5, 7, 1, 1), (1,), (5, 7)),
]


@pytest.mark.parametrize(("shape", "dims", "new"), ROWS)
def test_gradient(shape, dims, new):
    assert gradcheck(lambda x: flatten(x, *dims), real(*shape))


@pytest.mark.parametrize(("shape", "dims", "new"), ROWS)
def test_value(shape, dims, new):
    x = real(*shape)
    y = flatten(channels_last(x) if x.ndim == 4 else x, *dims)
    assert y.shape == new and np.array_equal(y.data, x.reshape(new))


def test_bad_input():
    with pytest.raises(ArgumentError, match=r"^flatten: start_dim=2 lies behind end_dim=1"):
        flatten(np.ones((2, 3, 4)), 2, 1)
    with pytest.raises(ArgumentError, match=r"^flatten: start_dim must be between -3 and 2, got 3"):
        flatten(np.ones((2, 3, 4)), 3)
