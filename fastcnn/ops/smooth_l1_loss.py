"""ops.smooth_l1_loss: squared near zero, absolute beyond `beta`. Kernels: loss_forward, loss_backward. Papers: [Girshick2015]."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .losses import alike, checked_reduction, opposite
from .operands import number


def smooth_l1_loss(x, target, *, reduction="mean", beta=1.0) -> Tensor:
    """Return d^2 / (2 beta) where |d| < beta and |d| - beta / 2 elsewhere, d = x - target. [Girshick2015]

    Parameters
    ----------
    x, target : Tensor or array_like of one shape
        float32 or float64; both get a gradient. They do not broadcast.
    reduction : {"mean", "sum", "none"}
    beta : float
        At least 0; 0 is `l1_loss`. `huber_loss` is this times its delta.

    Returns
    -------
    Tensor, () or the shape of x for "none"
    """
    x, target = alike("smooth_l1_loss", x, target)
    case = checked_reduction("smooth_l1_loss", reduction), number("smooth_l1_loss", "beta", beta, 0)
    y, saved = _forward(x.data, target.data, case)
    return record("smooth_l1_loss", (x, target), y, _backward, saved, case)


def _forward(x, t, case):
    reduction, beta = case
    how = ("huber", beta, 1 / beta, reduction) if beta else ("absolute", 0.0, 1.0, reduction)
    return kernels.loss_forward(x, t, *how), (x, t)


def _backward(dy, saved, case, needs):
    reduction, beta = case
    how = ("huber", beta, 1 / beta, reduction) if beta else ("absolute", 0.0, 1.0, reduction)
    dx = kernels.loss_backward(dy, *saved, *how)
    return dx, opposite(dx) if needs[1] else None
