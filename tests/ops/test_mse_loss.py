"""tests.ops.test_mse_loss: the losses of a difference: squared, absolute, and the two in between."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor, ops
from fastcnn.errors import ArgumentError, DtypeError, ShapeError

from .draws import distinct, gradcheck

SHAPES = [(), (7,), (3, 5), (2, 3, 4, 5), (0, 4)]


def smooth_l1(d, beta):
    return np.where(abs(d) < beta, d**2 / (2 * max(beta, 1e-300)), abs(d) - beta / 2)


# Name: (function, options, loss of a difference).
ROWS = {
    "mse_loss": (ops.mse_loss, {}, lambda d: d**2),
    "l1_loss": (ops.l1_loss, {}, abs),
    "smooth_l1_loss": (ops.smooth_l1_loss, {}, lambda d: smooth_l1(d, 1)),
    "smooth_l1_loss-0.32": (ops.smooth_l1_loss, {"beta": 0.32}, lambda d: smooth_l1(d, 0.32)),
    "smooth_l1_loss-0": (ops.smooth_l1_loss, {"beta": 0}, abs),
    "huber_loss": (ops.huber_loss, {}, lambda d: smooth_l1(d, 1)),
    "huber_loss-0.77": (ops.huber_loss, {"delta": 0.77}, lambda d: 0.77 * smooth_l1(d, 0.77)),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ROWS)
def test_gradient_and_value(name, shape, reduction):
    function, options, by_hand = ROWS[name]
    x, target = distinct(*shape), distinct(*shape, seed=1) / 3 + 0.02
    if x.size or reduction != "mean":
        assert gradcheck(lambda x, t: function(x, t, reduction=reduction, **options), (x, target))
    each = by_hand(x - target)
    with np.errstate(invalid="ignore"):
        expected = {"mean": each.sum() / np.float64(each.size), "sum": each.sum(), "none": each}[reduction]
    np.testing.assert_allclose(function(x, target, reduction=reduction, **options).data, expected, rtol=1e-12)


@pytest.mark.parametrize("name", ROWS)
def test_where_the_difference_is_zero_there_is_no_gradient(name):
    function, options, _ = ROWS[name]
    x = Tensor(np.array([1.0, 2.0], np.float32), requires_grad=True)
    loss = function(x, np.array([1.0, 2.0], np.float32), **options)
    loss.backward()
    assert loss.item() == 0 and x.grad.data.tolist() == [0, 0]


@pytest.mark.parametrize("name", ROWS)
def test_bad_input(name):
    function, _, _ = ROWS[name]
    op, x = name.partition("-")[0], np.ones((3, 1))
    shapes = r"target must have the shape of x, got x.shape=\(3, 1\), target.shape=\(3,\)"
    with pytest.raises(ShapeError, match=f"^{op}: {shapes}"):
        function(x, x[:, 0])
    with pytest.raises(DtypeError, match=f"^{op}: x and target must have the same dtype"):
        function(x, x.astype(np.float32))
    with pytest.raises(DtypeError, match=f"^{op}: x must be float32 or float64, got int64"):
        function(np.ones(3, int), np.ones(3, int))
    with pytest.raises(ArgumentError, match=f"^{op}: reduction must be 'mean', 'sum' or 'none', got 'batchmean'"):
        function(x, x, reduction="batchmean")
