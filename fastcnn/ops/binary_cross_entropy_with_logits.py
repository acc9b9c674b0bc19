"""ops.binary_cross_entropy_with_logits: the cross-entropy of yes/no questions. Kernels: loss_forward, loss_backward."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..errors import ShapeError
from ..kernels import select as kernels
from .losses import alike, checked_reduction
from .operands import same_dtype


def binary_cross_entropy_with_logits(x, target, weight=None, *, reduction="mean", pos_weight=None) -> Tensor:
    """Return -weight (pos_weight t log p + (1 - t) log(1 - p)), p = 1 / (1 + exp(-x)), without leaving the range of the dtype.

    Parameters
    ----------
    x, target : Tensor or array_like of one shape
        Logits, and the probability of yes, 0 .. 1; float32 or float64. Both get a gradient.
    weight, pos_weight : Tensor or array_like, optional
        Of each loss, and of the yes answers in it; broadcast to x, get no gradient.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    Tensor, () or the shape of x for "none"
    """
    x, target = alike("binary_cross_entropy_with_logits", x, target)
    factors = []
    for name, value in (("weight", weight), ("pos_weight", pos_weight)):
        if value is not None:
            value = same_dtype("binary_cross_entropy_with_logits", x, name, value).data
            try:
                value = np.broadcast_to(value, x.data.shape)
            except ValueError:
                raise ShapeError(
                    f"binary_cross_entropy_with_logits: {name} must broadcast to x, got {name}.shape={value.shape} "
                    f"(x.shape={x.data.shape})"
                ) from None
        factors.append(value)
    case = checked_reduction("binary_cross_entropy_with_logits", reduction)
    y, saved = _forward(x.data, target.data, factors[0], factors[1], case)
    return record("binary_cross_entropy_with_logits", (x, target), y, _backward, saved, case)


def _forward(x, t, w, pos, case):
    return kernels.loss_forward(x, t, "logits", reduction=case, weight=w, pos_weight=pos), (x, t, w, pos)


def _backward(dy, saved, case, needs):
    x, t, w, pos = saved
    options = {"reduction": case, "weight": w, "pos_weight": pos}
    return (
        kernels.loss_backward(dy, x, t, "logits", **options) if needs[0] else None,
        kernels.loss_backward(dy, x, t, "logits", of_target=True, **options) if needs[1] else None,
    )
