"""tests.ops.test_pad: a constant border."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError
from fastcnn.ops import pad

from .draws import channels_last, gradcheck, real

ROWS = [((3,), (1, 2)), ((2, 3, 4, 5), (1, 0, 2, 3)), ((2, 3), (0, 0)), ((2, 3), (1, 1, 2, 2)), ((0, 3), (1, 1)), ((3,), ())]


@pytest.mark.parametrize(("shape", "border"), ROWS)
def test_gradient(shape, border):
    assert gradcheck(lambda x: pad(x, border), real(*shape), mode="full")


@pytest.mark.parametrize("value", [0.0, -1.5])
@pytest.mark.parametrize(("shape", "border"), ROWS)
def test_value(shape, border, value):
    x = real(*shape)
    pairs = [(0, 0)] * (len(shape) - len(border) // 2) + [border[i : i + 2] for i in range(len(border) - 2, -1, -2)]
    assert np.array_equal(pad(x, border, value).data, np.pad(x, pairs, constant_values=value))


def test_keeps_channels_last_memory():
    assert pad(channels_last(real(2, 3, 4, 5)), (1, 1, 1, 1)).data.strides[1] == 8


@pytest.mark.parametrize(
    ("border", "text"),
    [
        ((1,), "two ints for each"),
        ((1,) * 6, "two ints for each"),
        (1, "two ints for each"),
        ((-1, 0), "ints of at least 0"),
        ((0.5, 1), "ints"),
    ],
)
def test_bad_input(border, text):
    with pytest.raises(ArgumentError, match=f"^pad: pad must be .*{text}"):
        pad(np.ones((2, 3)), border)
