"""ops.smooth_l1_loss: squared near zero, absolute beyond `beta`. Papers: [Girshick2015]."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .losses import alike, checked_reduction, reduced, share
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
    d = x - t
    size = np.abs(d)
    each = np.where(size < beta, d * d * d.dtype.type(0.5 / beta if beta else 0), size - d.dtype.type(0.5 * beta))
    return reduced(each, reduction), d


def _backward(dy, saved, case, needs):
    reduction, beta = case
    slope = np.clip(saved / saved.dtype.type(beta), -1, 1) if beta else np.sign(saved)
    dx = slope * share(dy, reduction, saved.size)
    return dx, -dx if needs[1] else None
