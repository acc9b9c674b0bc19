"""ops.mse_loss: the squared error. Kernels: loss_forward, loss_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .losses import alike, checked_reduction, opposite


def mse_loss(x, target, *, reduction="mean") -> Tensor:
    """Return (x - target)^2.

    Parameters
    ----------
    x, target : Tensor or array_like of one shape
        float32 or float64; both get a gradient. They do not broadcast.
    reduction : {"mean", "sum", "none"}

    Returns
    -------
    Tensor, () or the shape of x for "none"
    """
    x, target = alike("mse_loss", x, target)
    case = checked_reduction("mse_loss", reduction)
    y, saved = _forward(x.data, target.data, case)
    return record("mse_loss", (x, target), y, _backward, saved, case)


def _forward(x, t, case):
    return kernels.loss_forward(x, t, "square", reduction=case), (x, t)


def _backward(dy, saved, case, needs):
    dx = kernels.loss_backward(dy, *saved, "square", reduction=case)
    return dx, opposite(dx) if needs[1] else None
