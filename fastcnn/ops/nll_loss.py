"""ops.nll_loss: the negative log-likelihood of class numbers, from log-probabilities."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from .losses import checked_reduction, class_rows, class_weights, from_class_rows, labelled, reduced, share
from .operands import class_numbers, whole


def nll_loss(x, target, weight=None, *, ignore_index=-100, reduction="mean") -> Tensor:
    """Return -weight[t] * x[t] for each target t; after `log_softmax` it is `cross_entropy`.

    Parameters
    ----------
    x : Tensor or array_like, (batch, classes), (batch, classes, ...) or (classes,)
        Log-probabilities, float32 or float64.
    target : Tensor or array_like, the shape of x without the classes
        Class numbers, any integer dtype, 0 .. classes - 1 or `ignore_index`.
    weight : Tensor or array_like, (classes,), optional
        Of each class; gets no gradient.
    ignore_index : int
        Targets of this number have loss and gradient zero.
    reduction : {"mean", "sum", "none"}
        The mean is over the targets that are not ignored, weighted by `weight`; it is NaN if there is none.

    Returns
    -------
    Tensor, () or the shape of target for "none"
    """
    x, labels = labelled("nll_loss", x, target)
    w = class_weights("nll_loss", x, weight)
    ignore_index = whole("nll_loss", "ignore_index", ignore_index)
    target, ignored = class_numbers("nll_loss", labels.data, x.data.shape, ignore_index)
    case = checked_reduction("nll_loss", reduction)
    y, saved = _forward(x.data, target, ignored, w, case)
    return record("nll_loss", (x,), y, _backward, saved, case)


def _forward(x, target, ignored, w, case):
    scale = np.ones(target.shape, x.dtype) if w is None else w[target]
    picked = class_rows(x)[np.arange(target.size), target.ravel()].reshape(target.shape)
    if ignored is not None:
        scale, picked = np.where(ignored, x.dtype.type(0), scale), np.where(ignored, x.dtype.type(0), picked)
    count = float(scale.sum())
    return reduced(-scale * picked, case, count), (target, scale, count, x.shape)


def _backward(dy, saved, case, needs):
    target, scale, count, shape = saved
    classes = shape[min(1, len(shape) - 1)]
    dx = np.zeros((target.size, classes), dtype=dy.dtype)
    dx[np.arange(target.size), target.ravel()] = (-scale * share(dy, case, count)).ravel()
    return (from_class_rows(dx, shape),)
