"""tests.ops.test_pad: a constant border."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, ShapeError
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
    assert np.array_equal(pad(x, border, value=value).data, np.pad(x, pairs, constant_values=value))


MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("shape", "border"), [((4,), (2, 3)), ((2, 3, 4, 5), (1, 0, 2, 3)), ((2, 3), ()), ((3, 3), (2, 0, 1, 2))]
)
def test_modes(shape, border, mode):
    x = real(*shape)
    assert gradcheck(lambda x: pad(x, border, mode), x, mode="full")
    pairs = [(0, 0)] * (len(shape) - len(border) // 2) + [border[i : i + 2] for i in range(len(border) - 2, -1, -2)]
    assert np.array_equal(pad(x, border, mode).data, np.pad(x, pairs, MODES[mode]))


@pytest.mark.parametrize("border", [(-1, 0), (2, -1), (-1, -2, 3, -1), (-2, -3)])
def test_negative_cuts(border):
    x = real(4, 5)
    assert gradcheck(lambda x: pad(x, border), x, mode="full")
    low, high = border[:2]
    cut = pad(x, (low, high)).data
    want = np.pad(x, [(0, 0), (max(low, 0), max(high, 0))])
    assert np.array_equal(cut, want[:, max(-low, 0) : want.shape[1] - max(-high, 0)])


@pytest.mark.parametrize(
    ("border", "mode", "text"),
    [
        ((3, 0), "reflect", r"a 'reflect' border of \(3, 0\) does not fit an axis of 3"),
        ((0, 4), "circular", "a 'circular' border"),
        ((-1, 0), "replicate", "a 'replicate' border"),
        ((-2, -2), "constant", "a 'constant' border"),
    ],
)
def test_border_that_does_not_fit(border, mode, text):
    with pytest.raises(ShapeError, match=f"^pad: {text}"):
        pad(np.ones((2, 3)), border, mode)


def test_unknown_mode():
    with pytest.raises(ArgumentError, match=r"^pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', got 'wrap'"):
        pad(np.ones(3), (1, 1), "wrap")


def test_keeps_channels_last_memory():
    assert pad(channels_last(real(2, 3, 4, 5)), (1, 1, 1, 1)).data.strides[1] == 8


@pytest.mark.parametrize(
    ("border", "text"),
    [
        ((1,), "two ints for each"),
        ((1,) * 6, "two ints for each"),
        (1, "two ints for each"),
        ((0.5, 1), "ints"),
    ],
)
def test_bad_input(border, text):
    with pytest.raises(ArgumentError, match=f"^pad: pad must be .*{text}"):
        pad(np.ones((2, 3)), border)
