"""ops.soft_cross_entropy: that of probabilities. Kernels: soft_cross_entropy_forward, _backward. Papers: [Szegedy2016]."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .losses import alike, checked_reduction, class_axis, class_rows, class_weights, from_class_rows
from .operands import number, reshaped


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
    logits, target, at = class_rows(x), class_rows(t), class_axis(x)
    loss, kept = kernels.soft_cross_entropy_forward(logits, target, w, smoothing, reduction)
    if reduction == "none":
        loss = loss.reshape(x.shape[:at] + x.shape[at + 1 :])
    return loss, (logits, target, kept, w, x.shape)


def _backward(dy, saved, case, needs):
    logits, target, kept, w, shape = saved
    reduction, smoothing = case
    args = reshaped(dy, (-1,)) if reduction == "none" else dy, logits, target, kept, w, smoothing, reduction
    return (
        from_class_rows(kernels.soft_cross_entropy_backward(*args), shape) if needs[0] else None,
        from_class_rows(kernels.soft_cross_entropy_backward(*args, True), shape) if needs[1] else None,
    )
