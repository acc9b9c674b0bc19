"""ops.kl_div: the Kullback-Leibler divergence from log-probabilities. Papers: [Kullback1951]."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .losses import REDUCTIONS, alike, checked_reduction, reduced, share


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
    case = checked_reduction("kl_div", reduction, (*REDUCTIONS, "batchmean")), bool(log_target)
    y, saved = _forward(x.data, target.data, case)
    return record("kl_div", (x, target), y, _backward, saved, case)


def _forward(x, t, case):
    reduction, log_target = case
    with np.errstate(all="ignore"):
        q, log_q = (np.exp(t), t) if log_target else (t, np.log(t))
        each = q * (log_q - x)
    if not log_target:
        each = np.where(t == 0, x.dtype.type(0), each)
    count = each.size if reduction == "mean" or not each.ndim else len(each)
    return reduced(each, "mean" if reduction == "batchmean" else reduction, count), (x, q, log_q, count)


def _backward(dy, saved, case, needs):
    x, q, log_q, count = saved
    reduction, log_target = case
    dloss = share(dy, "mean" if reduction == "batchmean" else reduction, count)
    dt = None
    if needs[1]:
        slope = 1 + log_q - x
        dt = (q * slope if log_target else slope) * dloss
    return (-q * dloss if needs[0] else None), dt
