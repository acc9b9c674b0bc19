"""ops.cross_entropy: softmax cross-entropy of class numbers. Kernels: cross_entropy_forward, _backward. Papers: [Szegedy2016]."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ArgumentError
from ..kernels import select as kernels
from .losses import class_rows, class_weights, cross_entropy_case, from_class_rows, labelled
from .operands import as_tensor, class_numbers, float_tensor, reshaped
from .soft_cross_entropy import soft_cross_entropy


def cross_entropy(x, target, weight=None, *, reduction="mean", label_smoothing=0.0, ignore_index=-100) -> Tensor:
    """Return -weight[t] * sum over k of q[k] log p[k] for each target t, p = softmax(x), q the smoothed one-hot target.

    q[k] = (1 - label_smoothing) [k == t] + label_smoothing / classes. With both weight and label_smoothing each class k is
    weighted by its own weight[k].

    Parameters
    ----------
    x : Tensor or array_like, (batch, classes), (batch, classes, ...) or (classes,)
        Logits, float32 or float64.
    target : Tensor or array_like, the shape of x without the classes
        Class numbers, any integer dtype, 0 .. classes - 1 or `ignore_index`. Or probabilities: float, the shape of x; see
        `soft_cross_entropy`.
    weight : Tensor or array_like, (classes,), optional
        Of each class; gets no gradient.
    reduction : {"mean", "sum", "none"}
        The mean is over the targets that are not ignored, weighted by `weight`; it is NaN if there is none.
    label_smoothing : float, 0 .. 1
    ignore_index : int
        Targets of this number have loss and gradient zero.

    Returns
    -------
    Tensor, () or the shape of target for "none"

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        Also for targets that are not integers (a NaN label is a float) or out of range.
    """
    x, target = float_tensor("cross_entropy", "x", x), as_tensor("cross_entropy", "target", target)
    kind = target.data.dtype.kind
    if kind == "f" and target.data.shape == x.data.shape:
        return soft_cross_entropy(x, target, weight, reduction=reduction, label_smoothing=label_smoothing)
    x, labels = labelled("cross_entropy", x, target)
    w = class_weights("cross_entropy", x, weight)
    case = cross_entropy_case(reduction, label_smoothing, ignore_index)
    target = labels.data
    if kind not in "iu":  # else the kernel reads the labels as they are, and checks them
        class_numbers("cross_entropy", target, x.data.shape, case.ignore_index)
    try:
        loss, saved = _forward(x.data, target, w, case)
    except ArgumentError:  # of rows of classes; here it names the shapes that were given
        class_numbers("cross_entropy", target, x.data.shape, case.ignore_index)
        raise
    return record("cross_entropy", (x,), loss, _backward, saved, case)


def _forward(x, target, w, case):
    rows, labels = class_rows(x), reshaped(target, (-1,))
    reduction, smoothing, ignored = case
    loss, probs = kernels.cross_entropy_forward(rows, labels, smoothing, w, ignored, reduction)
    return loss.reshape(target.shape) if reduction == "none" else loss, (probs, target, w, x.shape)


def _backward(dy, saved, case, needs):
    probs, target, w, shape = saved
    reduction, smoothing, ignored = case
    labels, dloss = reshaped(target, (-1,)), reshaped(dy, (-1,)) if reduction == "none" else dy
    dx = kernels.cross_entropy_backward(dloss, probs, labels, smoothing, w, ignored, reduction)
    return (dx if len(shape) == 2 else from_class_rows(dx, shape),)
