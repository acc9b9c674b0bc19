"""ops.cross_entropy: softmax cross-entropy of class numbers. Kernels: cross_entropy_forward, _backward. Papers: [Szegedy2016]."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..autograd import Tensor, record
from ..errors import ArgumentError, ShapeError
from ..kernels import select as kernels
from .operands import as_tensor, class_numbers, float_tensor, number, whole


class CrossEntropyCase(NamedTuple):
    """Options of one loss."""

    reduction: str
    label_smoothing: float
    ignore_index: int


def cross_entropy(x, target, *, reduction="mean", label_smoothing=0.0, ignore_index=-100) -> Tensor:
    """Return -sum over k of q[n, k] log p[n, k], p = softmax(x), q the smoothed one-hot target.

    q[n, k] = (1 - label_smoothing) [k == target[n]] + label_smoothing / classes.

    Parameters
    ----------
    x : Tensor or array_like, (batch, classes)
        Logits, float32 or float64.
    target : Tensor or array_like, (batch,)
        Class numbers, any integer dtype, 0 .. classes - 1 or `ignore_index`.
    reduction : {"mean", "sum", "none"}
        The mean is over the samples that are not ignored; it is NaN if there is none.
    label_smoothing : float, 0 .. 1
    ignore_index : int
        Samples with this target have loss and gradient zero.

    Returns
    -------
    Tensor, () or (batch,) for "none"

    Raises
    ------
    ShapeError, DtypeError, ArgumentError
        Also for targets that are not integers (a NaN label is a float) or out of range.
    """
    x = float_tensor("cross_entropy", "x", x)
    target = as_tensor("cross_entropy", "target", target).data
    if x.data.ndim != 2 or target.shape != x.data.shape[:1]:
        raise ShapeError(
            "cross_entropy: x must be (batch, classes) and target (batch,), "
            f"got x.shape={x.data.shape}, target.shape={target.shape}"
        )
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(f"cross_entropy: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    smoothing = number("cross_entropy", "label_smoothing", label_smoothing, 0, 1)
    case = CrossEntropyCase(reduction, smoothing, whole("cross_entropy", "ignore_index", ignore_index))
    target, ignored = class_numbers("cross_entropy", target, x.data.shape, case.ignore_index)
    loss, saved = _forward(x.data, target, ignored, case)
    return record("cross_entropy", (x,), loss, _backward, saved, case)


def _forward(x, target, ignored, case):
    loss, probs = kernels.cross_entropy_forward(x, target, case.label_smoothing)
    count = len(target)
    if ignored is not None:
        loss[ignored] = 0
        count -= int(ignored.sum())
    if case.reduction != "none":
        loss = loss.sum()
    if case.reduction == "mean":
        loss = loss / loss.dtype.type(count) if count else loss.dtype.type(np.nan)
    return loss, (probs, target, ignored, count)


def _backward(dy, saved, case, needs):
    probs, target, ignored, count = saved
    dloss = dy
    if case.reduction != "none":
        dloss = np.full(target.shape, dy / max(count, 1) if case.reduction == "mean" else dy, dtype=probs.dtype)
    if ignored is not None:
        dloss = np.where(ignored, dloss.dtype.type(0), dloss)
    return (kernels.cross_entropy_backward(dloss, probs, target, case.label_smoothing),)
