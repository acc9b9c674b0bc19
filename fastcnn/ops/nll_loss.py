"""ops.nll_loss: the negative log-likelihood of class numbers, from log-probabilities."""

from __future__ import annotations

from typing import NamedTuple

from ..autograd import Tensor, record
from ..errors import ArgumentError
from ..kernels import cross_entropy as kernel
from .losses import checked_reduction, class_rows, class_weights, from_class_rows, labelled
from .operands import class_numbers, reshaped, whole


class NllCase(NamedTuple):
    """Options of one loss."""

    reduction: str
    ignore_index: int


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
    case = NllCase(checked_reduction("nll_loss", reduction), ignore_index)
    target = labels.data
    if target.dtype.kind not in "iu":  # else the kernel reads the labels as they are, and checks them
        class_numbers("nll_loss", target, x.data.shape, ignore_index)
    try:
        y, saved = _forward(x.data, target, w, case)
    except ArgumentError:  # of rows of classes; here it names the shapes that were given
        class_numbers("nll_loss", target, x.data.shape, ignore_index)
        raise
    return record("nll_loss", (x,), y, _backward, saved, case)


def _forward(x, target, w, case):
    rows, labels = class_rows(x), reshaped(target, (-1,))
    y = kernel.nll_loss_forward(rows, labels, weight=w, ignore_index=case.ignore_index, reduction=case.reduction)
    return y.reshape(target.shape) if case.reduction == "none" else y, (rows, target, w, x.shape)


def _backward(dy, saved, case, needs):
    rows, target, w, shape = saved
    labels, dloss = reshaped(target, (-1,)), reshaped(dy, (-1,)) if case.reduction == "none" else dy
    dx = kernel.nll_loss_backward(dloss, rows, labels, weight=w, ignore_index=case.ignore_index, reduction=case.reduction)
    return (dx if len(shape) == 2 else from_class_rows(dx, shape),)
