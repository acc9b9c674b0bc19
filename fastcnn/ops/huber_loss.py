"""ops.huber_loss: squared near zero, linear beyond `delta`. Kernels: loss_forward, loss_backward. Papers: [Huber1964]."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ArgumentError
from ..kernels import select as kernels
from .losses import alike, checked_reduction, opposite
from .operands import number


def huber_loss(x, target, *, reduction="mean", delta=1.0) -> Tensor:
    """Return d^2 / 2 where |d| < delta and delta (|d| - delta / 2) elsewhere, d = x - target. [Huber1964]

    Parameters
    ----------
    x, target : Tensor or array_like of one shape
        float32 or float64; both get a gradient. They do not broadcast.
    reduction : {"mean", "sum", "none"}
    delta : float
        Above 0.

    Returns
    -------
    Tensor, () or the shape of x for "none"
    """
    x, target = alike("huber_loss", x, target)
    case = checked_reduction("huber_loss", reduction), number("huber_loss", "delta", delta, 0)
    if not case[1]:
        raise ArgumentError(f"huber_loss: delta must be above 0, got {delta!r}")
    y, saved = _forward(x.data, target.data, case)
    return record("huber_loss", (x, target), y, _backward, saved, case)


def _forward(x, t, case):
    reduction, delta = case
    return kernels.loss_forward(x, t, "huber", delta, reduction=reduction), (x, t)


def _backward(dy, saved, case, needs):
    reduction, delta = case
    dx = kernels.loss_backward(dy, *saved, "huber", delta, reduction=reduction)
    return dx, opposite(dx) if needs[1] else None
