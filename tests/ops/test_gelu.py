"""tests.ops.test_gelu: its tails, its approximation. Gradients and values: test_activations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastcnn.errors import ArgumentError
from fastcnn.ops import gelu


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_left_tail_keeps_its_digits(dtype):
    x = np.linspace(-9, -4, 21).astype(dtype)
    want = [v * math.erfc(-v / math.sqrt(2)) / 2 for v in x.astype(float)]
    np.testing.assert_allclose(gelu(x).data, want, rtol=50 * np.finfo(dtype).eps)


def test_approximation_is_close():
    x = np.linspace(-5, 5, 101)
    difference = np.abs(gelu(x).data - gelu(x, "tanh").data).max()
    assert 1e-5 < difference < 1e-3


def test_bad_approximation():
    with pytest.raises(ArgumentError, match=r"^gelu: approximate must be 'none' or 'tanh', got True"):
        gelu([1.0], True)
