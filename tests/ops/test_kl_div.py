"""tests.ops.test_kl_div: the divergence, zeros in the target, its reductions."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn.errors import ArgumentError, ShapeError
from fastcnn.ops import kl_div, log_softmax, softmax

from .draws import gradcheck, real


@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "batchmean"])
@pytest.mark.parametrize("shape", [(4, 3), (6,), (2, 3, 2, 2), ()])
def test_gradient_and_value(shape, reduction, log_target):
    x, t = log_softmax(real(*shape), 0).data, softmax(real(*shape, seed=1), 0).data
    target = np.log(t) if log_target else t
    assert gradcheck(lambda x, t: kl_div(x, t, reduction=reduction, log_target=log_target), (x, target), mode="full")
    each = t * (np.log(t) - x)
    expected = {
        "mean": each.mean(),
        "sum": each.sum(),
        "none": each,
        "batchmean": each.sum() / (len(each) if each.ndim else 1),
    }[reduction]
    np.testing.assert_allclose(kl_div(x, target, reduction=reduction, log_target=log_target).data, expected, rtol=1e-10)


def test_classes_of_probability_zero_cost_nothing():
    x = np.log([0.5, 0.5])
    assert kl_div(x, np.array([1.0, 0.0]), reduction="sum").item() == pytest.approx(np.log(2))
    assert kl_div(x, np.log([1.0, 1e-300]), reduction="sum", log_target=True).item() == pytest.approx(np.log(2))


def test_bad_input():
    with pytest.raises(ShapeError, match=r"^kl_div: target must have the shape of x"):
        kl_div(np.ones(3), np.ones(2))
    with pytest.raises(ArgumentError, match=r"^kl_div: reduction must be 'mean', 'sum', 'none' or 'batchmean', got 'total'"):
        kl_div(np.ones(3), np.ones(3), reduction="total")
