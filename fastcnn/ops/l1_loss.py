"""ops.l1_loss: the absolute error."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .losses import alike, checked_reduction, reduced, share


def l1_loss(x, target, *, reduction="mean") -> Tensor:
    """Return |x - target|; its gradient is zero where they are equal.

    Parameters
    ----------
    x, target : Tensor or array_like of one shape
        float32 or float64; both get a gradient. They do not broadcast.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    Tensor, () or the shape of x for "none"
    """
    x, target = alike("l1_loss", x, target)
    case = checked_reduction("l1_loss", reduction)
    y, saved = _forward(x.data, target.data, case)
    return record("l1_loss", (x, target), y, _backward, saved, case)


def _forward(x, t, case):
    d = x - t
    return reduced(np.abs(d), case), d


def _backward(dy, saved, case, needs):
    dx = np.sign(saved) * share(dy, case, saved.size)
    return dx, -dx if needs[1] else None
