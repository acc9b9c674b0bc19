"""ops.kl_div: the Kullback-Leibler divergence of log-probabilities. Kernels: loss_forward, _backward. Papers: [Kullback1951]."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .losses import REDUCTIONS, alike, checked_reduction


class KlDivCase(NamedTuple):
    """Options of one loss as the kernel takes them."""

    reduction: str
    factor: float
    kind: str


def kl_div(x, target, *, reduction="mean", log_target=False) -> Tensor:
    """Return target (log target - x), elementwise; 0 where target is 0. [Kullback1951]

    Parameters
    ----------
    x : Tensor or array_like
        Log-probabilities, float32 or float64.
    target : Tensor or array_like of x's shape
        Probabilities, or their logarithms with `log_target`. Gets a gradient too.
    reduction : {"mean", "sum", "none", "batchmean"}
        "mean" is over all elements; "batchmean" divides the sum by the length of the first axis, as the definition does.
    log_target : bool

    Returns
    -------
    Tensor, () or the shape of x for "none"
    """
    x, target = alike("kl_div", x, target)
    reduction = checked_reduction("kl_div", reduction, (*REDUCTIONS, "batchmean"))
    case = KlDivCase(reduction, 1.0, "log_divergence" if log_target else "divergence")
    if reduction == "batchmean":
        rows = len(x.data) if x.data.ndim else 1
        case = case._replace(reduction="sum", factor=1 / rows if rows else math.nan)
    y, saved = _forward(x.data, target.data, case)
    return record("kl_div", (x, target), y, _backward, saved, case)


def _forward(x, t, case):
    return kernels.loss_forward(x, t, case.kind, factor=case.factor, reduction=case.reduction), (x, t)


def _backward(dy, saved, case, needs):
    options = {"factor": case.factor, "reduction": case.reduction}
    return (
        kernels.loss_backward(dy, *saved, case.kind, **options) if needs[0] else None,
        kernels.loss_backward(dy, *saved, case.kind, of_target=True, **options) if needs[1] else None,
    )
