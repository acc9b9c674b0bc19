"""tests.test_shapes: the geometry of convolution and pooling, counted by hand, and the text of every refusal."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, FastcnnError, ShapeError
from fastcnn.shapes import MAX_SIZE, conv2d_case, pair, pool2d_case

X, W = (2, 8, 10, 12), (16, 8, 3, 3)
HUGE = 2**31


def positions(padded, effective, stride):
    """The number of places where a window of `effective` fits, by trying."""
    return sum(start + effective <= padded for start in range(0, padded, stride))


@pytest.mark.parametrize("size", range(1, 12))
def test_output_size_of_convolution(size):
    for k, s, p, d in itertools.product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2)):
        effective = d * (k - 1) + 1
        if effective > size + 2 * p:
            continue
        case = conv2d_case((1, 1, size, 9), (1, 1, k, 1), (s, 1), (p, 0), (d, 1))
        assert case.oh == positions(size + 2 * p, effective, s) and case.ow == 9


@pytest.mark.parametrize("size", range(1, 12))
def test_output_size_of_pooling(size):
    for k, s, d, ceil in itertools.product((1, 2, 3, 5), (1, 2, 3, 7), (1, 2), (False, True)):
        for p in range(k // 2 + 1):
            effective = d * (k - 1) + 1
            if effective > size + 2 * p:
                continue
            case = pool2d_case((1, 1, size, 9), (k, 1), (s, 1), (p, 0), (d, 1), ceil)
            floor = positions(size + 2 * p, effective, s)
            # ceil_mode adds the window that hangs over the far edge if there is one and it starts before the padding
            left_over = (floor - 1) * s + effective < size + 2 * p
            assert case.oh == floor + (ceil and left_over and floor * s < size + p)


def test_ceil_mode_allows_a_kernel_larger_than_the_image():
    case = pool2d_case((1, 3, 2, 2), 3, 2, ceil_mode=True)
    assert (case.oh, case.ow) == (1, 1)
    with pytest.raises(ShapeError):
        pool2d_case((1, 3, 1, 1), 3, 2, ceil_mode=True)


@pytest.mark.parametrize(
    ("padding", "want"),
    [
        (1, (1, 1, 1, 1)),
        ((1, 2), (1, 1, 2, 2)),
        ([1, 2], (1, 1, 2, 2)),
        ((1, 2, 3, 4), (1, 2, 3, 4)),
        ([0, 0, 0, 1], (0, 0, 0, 1)),
        ("valid", (0, 0, 0, 0)),
        ("same", (1, 1, 1, 1)),
        (np.int64(2), (2, 2, 2, 2)),
    ],
)
def test_padding_forms(padding, want):
    case = conv2d_case(X, W, padding=padding)
    assert (case.pt, case.pb, case.pl, case.pr) == want


@pytest.mark.parametrize("k", range(1, 8))
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_keeps_the_size(k, dilation):
    case = conv2d_case((1, 1, 10, 12), (1, 1, k, 8 - k), padding="same", dilation=dilation)
    assert (case.oh, case.ow) == (10, 12)
    assert case.pb - case.pt in (0, 1) and case.pr - case.pl in (0, 1)


def test_shapes_of_a_case():
    case = conv2d_case(X, (12, 4, 3, 5), stride=(1, 2), padding=(1, 2), groups=2)
    assert case.x_shape == X and case.w_shape == (12, 4, 3, 5) and case.y_shape == (2, 12, 10, 6)
    assert case.macs == 2 * 12 * 10 * 6 * 4 * 3 * 5
    pool = pool2d_case(X, 2)
    assert pool.x_shape == X and pool.y_shape == (2, 8, 5, 6)
    assert pool2d_case((0, 3, 4, 4), 2).y_shape == (0, 3, 2, 2)
    assert conv2d_case((0, 8, 10, 12), W).y_shape == (0, 16, 8, 10)


def test_a_case_is_hashable_and_equal_by_value():
    assert conv2d_case(X, W, 1, 1) == conv2d_case(list(X), list(W), (1, 1), [1, 1, 1, 1])
    assert len({conv2d_case(X, W), conv2d_case(X, W), conv2d_case(X, W, 2)}) == 2


WRONG_CONV = {
    "rank of x": (((8, 10, 12), W), ShapeError, r"conv2d: x must have 4 axes .*x\.shape=\(8, 10, 12\)"),
    "rank of w": ((X, (16, 8, 3)), ShapeError, r"conv2d: weight must have 4 axes .*weight\.shape=\(16, 8, 3\)"),
    "channels": (
        ((1, 8, 32, 32), (32, 16, 3, 3)),
        ShapeError,
        r"conv2d: weight expects 16 input channels, x has 8 \(x\.shape=\(1, 8, 32, 32\), weight\.shape=\(32, 16, 3, 3\)\)",
    ),
    "channels in groups": (
        (X, (16, 3, 3, 3), 1, 0, 1, 2),
        ShapeError,
        r"weight expects 6 input channels \(3 in each of 2 groups\), x has 8",
    ),
    "outputs in groups": (
        (X, (15, 4, 3, 3), 1, 0, 1, 2),
        ShapeError,
        r"15 output channels cannot be split into 2 groups \(x\.shape",
    ),
    "groups 0": ((X, W, 1, 0, 1, 0), ArgumentError, r"groups must be at least 1, got 0"),
    "groups 1.0": ((X, W, 1, 0, 1, 1.0), ArgumentError, r"groups must be an int, got 1\.0"),
    "empty weight": ((X, (16, 8, 0, 3)), ShapeError, r"weight must not be empty \(x\.shape=.*\(16, 8, 0, 3\)\)"),
    "no outputs": ((X, (0, 8, 3, 3)), ShapeError, r"weight must not be empty"),
    "empty image": (((2, 8, 0, 12), (16, 8, 1, 1), 1, 2), ShapeError, r"x has an empty height"),
    "high kernel": (
        (X, (16, 8, 11, 3)),
        ShapeError,
        r"kernel height 11 \(with dilation\) is larger than the padded image height 10",
    ),
    "wide kernel": (
        (X, (16, 8, 3, 13)),
        ShapeError,
        r"kernel width 13 \(with dilation\) is larger than the padded image width 12",
    ),
    "dilated kernel": ((X, W, 1, 0, 6), ShapeError, r"kernel height 13 \(with dilation\)"),
    "stride 0": ((X, W, 0), ArgumentError, r"stride must be between 1 and 2147483647, got 0"),
    "stride of one axis": ((X, W, (1, -1)), ArgumentError, r"stride must be between 1 and 2147483647, got \(1, -1\)"),
    "stride 1.5": ((X, W, 1.5), ArgumentError, r"stride must be an int or a pair of ints, got 1\.5"),
    "stride of three": ((X, W, (1, 1, 1)), ArgumentError, r"stride must be an int or a pair of ints, got \(1, 1, 1\)"),
    "stride None": ((X, W, None), ArgumentError, r"stride must be an int or a pair of ints, got None"),
    "dilation 0": ((X, W, 1, 0, 0), ArgumentError, r"dilation must be between 1 and"),
    "dilation huge": ((X, W, 1, 0, HUGE), ArgumentError, r"dilation must be between 1 and 2147483647, got 2147483648"),
    "dilation large": ((X, W, 1, 0, HUGE - 1), ShapeError, r"kernel height 4294967295 \(with dilation\) is larger"),
    "padding -1": ((X, W, 1, -1), ArgumentError, r"padding must be between 0 and"),
    "padding of four": ((X, W, 1, (0, 0, 0, -1)), ArgumentError, r"padding must be between 0 and"),
    "padding of three": ((X, W, 1, (1, 1, 1)), ArgumentError, r"padding must be an int or a pair of ints"),
    "padding word": ((X, W, 1, "full"), ArgumentError, r"padding must be 'valid', 'same', an int or a tuple of ints, got 'full'"),
    "same with stride": ((X, W, 2, "same"), ArgumentError, r"padding='same' needs stride 1, got stride=\(2, 2\)"),
    "padding above the bound": ((X, W, 1, HUGE - 1), ShapeError, r"the padded image height 4294967304 is above 2147483647"),
    "padded image above the bound": (
        ((1, 1, 1, 1), (1, 1, 1, 1), 10**9, 10**9),
        ShapeError,
        r"the padded image 2000000001 x 2000000001 is too large \(x\.shape",
    ),
    "output above the bound": ((X, (2**45, 8, 1, 1)), ShapeError, r"the output \(2, 35184372088832, 10, 12\) is too large \(x"),
}


@pytest.mark.parametrize("name", WRONG_CONV)
def test_convolution_refuses(name):
    args, error, text = WRONG_CONV[name]
    start = time.perf_counter()
    with pytest.raises(error, match=text) as caught:
        conv2d_case(*args)
    assert time.perf_counter() - start < 0.1
    assert isinstance(caught.value, FastcnnError) and str(caught.value).startswith("conv2d: ")


WRONG_POOL = {
    "rank": (((8, 10, 12), 2), ShapeError, r"x must have 4 axes .*x\.shape=\(8, 10, 12\)"),
    "kernel 0": ((X, 0), ArgumentError, r"kernel_size must be between 1 and"),
    "kernel word": ((X, "2"), ArgumentError, r"kernel_size must be an int or a pair of ints, got '2'"),
    "too many taps": (
        ((1, 1, 3, 3), 10**5, 1, 10**5 // 2),
        ArgumentError,
        r"a window has at most 2147483647 taps, got kernel_size=",
    ),
    "high kernel": ((X, (11, 2)), ShapeError, r"kernel height 11 is larger than the padded image height 10 \(x\.shape="),
    "wide kernel": ((X, (2, 13)), ShapeError, r"kernel width 13 is larger than the padded image width 12 \(x\.shape="),
    "dilated kernel": ((X, 3, 1, 0, 8), ShapeError, r"kernel height 17 is larger"),
    "stride 0": ((X, 2, 0), ArgumentError, r"stride must be between 1 and"),
    "padding -1": ((X, 2, 2, -1), ArgumentError, r"padding must be between 0 and"),
    "padding above half": (
        (X, 3, 1, 2),
        ArgumentError,
        r"padding must be at most half of the kernel, got padding=2, kernel_size=3",
    ),
    "dilation 0": ((X, 2, 2, 0, 0), ArgumentError, r"dilation must be between 1 and"),
    "empty image": (((2, 8, 10, 0), 1), ShapeError, r"x has an empty axis \(x\.shape=\(2, 8, 10, 0\)\)"),
    "no channels": (((2, 0, 10, 10), 1), ShapeError, r"x has an empty axis"),
}


@pytest.mark.parametrize("op", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("name", WRONG_POOL)
def test_pooling_refuses(name, op):
    args, error, text = WRONG_POOL[name]
    with pytest.raises(error, match=text) as caught:
        pool2d_case(*args, op=op)
    assert isinstance(caught.value, FastcnnError) and str(caught.value).startswith(f"{op}: ")


def test_pair():
    assert pair("op", "size", 3, 1) == (3, 3) and pair("op", "size", [1, 2], 1) == (1, 2)
    assert pair("op", "size", MAX_SIZE, 0) == (MAX_SIZE, MAX_SIZE)
    with pytest.raises(ArgumentError, match="op: size must be between 1 and 2147483647, got"):
        pair("op", "size", MAX_SIZE + 1, 1)
