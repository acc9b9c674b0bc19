"""tests.bench.test_check: the check before the clock accepts right results and finds planted errors."""

from __future__ import annotations

import numpy as np
import pytest

from bench import check, layers
from fastcnn.reference.conv2d import conv2d_backward_data, conv2d_backward_weight, conv2d_forward
from fastcnn.shapes import conv2d_case

CASES = {
    "plain": conv2d_case((3, 8, 9, 9), (17, 8, 3, 3), 1, 1),
    "strided": conv2d_case((2, 3, 11, 10), (5, 3, 3, 3), 2, 1),
    "grouped": conv2d_case((2, 12, 7, 7), (18, 4, 3, 3), 1, 1, 1, 3),
    "depthwise": conv2d_case((2, 9, 7, 7), (9, 1, 3, 3), 2, 1, 1, 9),
    "one channel": conv2d_case((4, 1, 6, 6), (6, 1, 5, 5), 1, 2),
}
DIRECTIONS = {
    "forward": lambda x, w, dy, case: conv2d_forward(x, w, None, case),
    "backward_data": lambda x, w, dy, case: conv2d_backward_data(dy, w, case),
    "backward_weight": lambda x, w, dy, case: conv2d_backward_weight(dy, x, case),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_right_result_passes(direction, name):
    x, w, dy = layers.operands(CASES[name])
    got = DIRECTIONS[direction](x, w, dy, CASES[name])
    check.conv2d(direction, got, x, w, dy, CASES[name], 1e-6)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("at", [0, -1], ids=["first", "last"])
@pytest.mark.parametrize("value", [1.0, np.nan])
def test_one_wrong_element_is_found(value, at, direction, name):
    x, w, dy = layers.operands(CASES[name])
    got = DIRECTIONS[direction](x, w, dy, CASES[name]).copy()
    got[(at,) * 4] += value
    with pytest.raises(AssertionError, match=direction):
        check.conv2d(direction, got, x, w, dy, CASES[name], 1e-5)


def test_wrong_shape_is_found():
    with pytest.raises(AssertionError, match="shape"):
        check.close(np.zeros((2, 1)), np.zeros((2, 2)), 1.0, "sum")


def test_ends_hold_body_and_tail():
    assert [check.ends(n) for n in (1, 2, 3, 64)] == [[0], [0, 1], [0, 1, 2], [0, 1, 63]]


def test_the_bound_grows_with_the_pixels_that_a_weight_gradient_sums_over():
    few, many = conv2d_case((2, 8, 9, 9), (8, 8, 3, 3), 1, 1), conv2d_case((16, 8, 224, 224), (8, 8, 3, 3), 1, 1)
    assert check.tolerance("direct", "backward_weight", few) == check.tolerance("direct", "forward", many) == 1e-5
    assert 5e-5 < check.tolerance("direct", "backward_weight", many) < 6e-5 == 1.2 * check.tolerance("winograd", "forward", few)
