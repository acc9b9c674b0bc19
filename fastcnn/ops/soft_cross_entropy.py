"""ops.soft_cross_entropy: cross-entropy of probabilities. Kernels: softmax_forward, softmax_backward. Papers: [Szegedy2016]."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .losses import alike, checked_reduction, class_axis, class_rows, class_weights, from_class_rows, reduced, share
from .operands import number


def soft_cross_entropy(x, target, weight=None, *, reduction="mean", label_smoothing=0.0) -> Tensor:
    """Return -sum over k of weight[k] q[k] log p[k], p = softmax(x), q the target with its labels smoothed.

    q = (1 - label_smoothing) target + label_smoothing / classes.

    Parameters
    ----------
    x : Tensor or array_like, (batch, classes), (batch, classes, ...) or (classes,)
        Logits, float32 or float64.
    target : Tensor or array_like, the shape and dtype of x
        Probabilities of the classes, as mixup and distillation make them; not checked to sum to 1. Gets a gradient.
    weight : Tensor or array_like, (classes,), optional
        Of each class; gets no gradient.
    reduction : {"mean", "sum", "none"}
        The mean is over the samples.
    label_smoothing : float, 0 .. 1

    Returns
    -------
    Tensor, () or the shape of x without the classes for "none"
    """
    x, target = alike("soft_cross_entropy", x, target)
    if x.data.ndim == 0:
        x, target = x.reshape(1), target.reshape(1)
    w = class_weights("soft_cross_entropy", x, weight)
    smoothing = number("soft_cross_entropy", "label_smoothing", label_smoothing, 0, 1)
    case = checked_reduction("soft_cross_entropy", reduction), smoothing
    y, saved = _forward(x.data, target.data, w, case)
    return record("soft_cross_entropy", (x, target), y, _backward, saved, case)


def _forward(x, t, w, case):
    reduction, smoothing = case
    logits, q = class_rows(x), class_rows(t)
    if smoothing:
        q = q * q.dtype.type(1 - smoothing) + q.dtype.type(smoothing / q.shape[1])
    if w is not None:
        q = q * w
    log_p = kernels.softmax_forward(logits, True)
    with np.errstate(invalid="ignore"):
        each = -np.einsum("ij,ij->i", q, log_p)
    at = class_axis(x)
    loss = reduced(each.reshape(x.shape[:at] + x.shape[at + 1 :]), reduction)
    return loss, (log_p, np.array(q), w, x.shape)


def _backward(dy, saved, case, needs):
    log_p, q, w, shape = saved
    reduction, smoothing = case
    dloss = share(dy, reduction, len(log_p)).reshape(-1, 1)
    dx = dt = None
    if needs[0]:
        dx = from_class_rows(kernels.softmax_backward(q * -dloss, log_p, True), shape)
    if needs[1]:
        dt = log_p * (dloss * dy.dtype.type(smoothing - 1))
        dt = from_class_rows(dt if w is None else dt * w, shape)
    return dx, dt
