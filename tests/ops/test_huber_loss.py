"""tests.ops.test_huber_loss: its relation to smooth L1, and its options. Values and gradients of all shapes: test_mse_loss."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError
from fastcnn.ops import huber_loss, smooth_l1_loss

from .draws import real


@pytest.mark.parametrize("delta", [0.3, 1.0, 5.0])
def test_is_smooth_l1_times_delta(delta):
    x, t = real(50), real(50, seed=1)
    np.testing.assert_allclose(huber_loss(x, t, delta=delta).data, delta * smooth_l1_loss(x, t, beta=delta).data, rtol=1e-12)


@pytest.mark.parametrize(("delta", "text"), [(0, "above 0, got 0"), (-1, "between 0 and inf, got -1"), (None, "a number")])
def test_bad_delta(delta, text):
    with pytest.raises(ArgumentError, match=f"^huber_loss: delta must be {text}"):
        huber_loss(np.ones(2), np.ones(2), delta=delta)
