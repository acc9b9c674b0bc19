"""tests.ops.test_binary_cross_entropy_with_logits: yes/no questions, their weights, extreme logits."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Tensor
from fastcnn.errors import ArgumentError, DtypeError, ShapeError
from fastcnn.ops import binary_cross_entropy_with_logits

from .draws import distinct, gradcheck, positive

WEIGHTS = {
    "plain": {},
    "weight": {"weight": positive(3, 4, seed=2)},
    "pos_weight": {"pos_weight": positive(4, seed=3)},
    "both": {"weight": positive(3, 1, seed=2), "pos_weight": positive(seed=3)},
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", WEIGHTS)
def test_gradient_and_value(name, reduction):
    x, t, options = distinct(3, 4) * 4, np.random.default_rng(1).random((3, 4)), WEIGHTS[name]

    def loss(x, t):
        return binary_cross_entropy_with_logits(x, t, reduction=reduction, **options)

    assert gradcheck(loss, (x, t), mode="full")
    p = 1 / (1 + np.exp(-x))
    each = -options.get("weight", 1) * (options.get("pos_weight", 1) * t * np.log(p) + (1 - t) * np.log1p(-p))
    expected = {"mean": each.mean(), "sum": each.sum(), "none": each}[reduction]
    np.testing.assert_allclose(loss(x, t).data, expected, rtol=1e-10)


def test_extreme_logits_stay_finite():
    x = Tensor(np.array([1e4, -1e4, 1e38, -1e38], np.float32), requires_grad=True)
    loss = binary_cross_entropy_with_logits(x, np.array([1, 0, 1, 0], np.float32))
    loss.backward()
    assert loss.item() == 0 and (x.grad.data == 0).all()


@pytest.mark.parametrize(
    ("args", "options", "error", "text"),
    [
        ((np.ones(3), np.ones(2)), {}, ShapeError, "target must have the shape of x"),
        ((np.ones(3), np.ones(3, int)), {}, DtypeError, "x and target must have the same dtype"),
        ((np.ones(3), np.ones(3)), {"weight": np.ones(2)}, ShapeError, r"weight must broadcast to x, got weight.shape=\(2,\)"),
        ((np.ones(3), np.ones(3)), {"pos_weight": np.ones((2, 3))}, ShapeError, "pos_weight must broadcast to x"),
        ((np.ones(3), np.ones(3)), {"reduction": 1}, ArgumentError, "reduction must be"),
    ],
)
def test_bad_input(args, options, error, text):
    with pytest.raises(error, match="^binary_cross_entropy_with_logits: " + text):
        binary_cross_entropy_with_logits(*args, **options)
