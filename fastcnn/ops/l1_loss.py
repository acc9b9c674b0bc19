"""ops.l1_loss: the absolute error. Kernels: loss_forward, loss_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .losses import alike, checked_reduction, opposite


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
    return kernels.loss_forward(x, t, "absolute", reduction=case), (x, t)


def _backward(dy, saved, case, needs):
    dx = kernels.loss_backward(dy, *saved, "absolute", reduction=case)
    return dx, opposite(dx) if needs[1] else None
