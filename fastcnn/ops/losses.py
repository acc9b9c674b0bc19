"""ops.losses: what the losses share: checks of targets and weights, rows of classes, and the reduction with its gradient."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..autograd import Tensor
from ..errors import ArgumentError, ShapeError
from ..kernels import elementwise
from ..threads import get_num_threads
from .operands import as_tensor, float_tensor, number, reshaped, same_dtype, whole

REDUCTIONS = ("mean", "sum", "none")


def checked_reduction(op: str, value, allowed: tuple[str, ...] = REDUCTIONS) -> str:
    """Return `value` if it names a reduction; raise ArgumentError otherwise."""
    if value not in allowed:
        raise ArgumentError(f"{op}: reduction must be {', '.join(map(repr, allowed[:-1]))} or {allowed[-1]!r}, got {value!r}")
    return value


class CrossEntropyCase(NamedTuple):
    """Options of one cross-entropy."""

    reduction: str
    label_smoothing: float
    ignore_index: int


def _checked_case(reduction, label_smoothing, ignore_index) -> CrossEntropyCase:
    smoothing = number("cross_entropy", "label_smoothing", label_smoothing, 0, 1)
    reduction = checked_reduction("cross_entropy", reduction)
    return CrossEntropyCase(reduction, smoothing, whole("cross_entropy", "ignore_index", ignore_index))


# Checking them takes as long as the loss of a small batch; a training repeats one.
_known_case = lru_cache(maxsize=256, typed=True)(_checked_case)


def cross_entropy_case(reduction, label_smoothing, ignore_index) -> CrossEntropyCase:
    """Return the options as a case; raise ArgumentError for those that there are not."""
    try:
        return _known_case(reduction, label_smoothing, ignore_index)
    except TypeError:  # not hashable
        return _checked_case(reduction, label_smoothing, ignore_index)


def alike(op: str, x, target) -> tuple[Tensor, Tensor]:
    """Return x and target as Tensors of one dtype and one shape; raise DtypeError or ShapeError otherwise.

    Losses do not broadcast: (batch,) against (batch, 1) would silently compare every pair.
    """
    x = float_tensor(op, "x", x)
    target = same_dtype(op, x, "target", target)
    if target.data.shape != x.data.shape:
        raise ShapeError(f"{op}: target must have the shape of x, got x.shape={x.data.shape}, target.shape={target.data.shape}")
    return x, target


def reduced(each, reduction: str, count=None):
    """Return the loss of each element, their sum, or their sum divided by `count` (default: their number); 0 / 0 is NaN."""
    if reduction == "none":
        return each
    total = each.sum()
    if reduction == "sum":
        return total
    count = each.size if count is None else count
    return total / total.dtype.type(count) if count else total.dtype.type(np.nan)


def opposite(dx):
    """The gradient of the other side of a difference."""
    return elementwise.mul(dx, -1, threads=get_num_threads())


def share(dy, reduction: str, count):
    """The gradient of each element's loss: dy, or the part of the scalar dy that each gets."""
    return dy / dy.dtype.type(count or 1) if reduction == "mean" else dy


def class_axis(x) -> int:
    """The axis of the classes: 1, or 0 of a single sample without a batch."""
    return min(1, x.ndim - 1)


def class_rows(x):
    """(batch, classes, ...) -> (rows, classes), a view for two axes and for channels-last memory."""
    if x.ndim == 2:
        return x
    at = class_axis(x)
    return reshaped(np.moveaxis(x, at, -1), (math.prod(x.shape) // x.shape[at] if x.shape[at] else 0, x.shape[at]))


def from_class_rows(rows, shape: tuple[int, ...]):
    """The inverse of `class_rows`: (rows, classes) -> `shape`, in channels-last memory."""
    at = min(1, len(shape) - 1)
    return np.moveaxis(rows.reshape(*shape[:at], *shape[at + 1 :], shape[at]), -1, at)


def labelled(op: str, x, target) -> tuple[Tensor, Tensor]:
    """Return x and target as Tensors where target has one entry for each row of classes; raise ShapeError otherwise."""
    x = float_tensor(op, "x", x)
    target = as_tensor(op, "target", target)
    shape = x.data.shape
    if not shape or target.data.shape != (shape[:1] + shape[2:] if len(shape) > 1 else ()):
        raise ShapeError(
            f"{op}: x must be (batch, classes, ...) and target (batch, ...), "
            f"got x.shape={shape}, target.shape={target.data.shape}"
        )
    return x, target


def class_weights(op: str, x: Tensor, weight):
    """Return the weights of the classes as an ndarray, or None; they get no gradient."""
    if weight is None:
        return None
    weight = same_dtype(op, x, "weight", weight)
    classes = x.data.shape[class_axis(x.data)]
    if weight.data.shape != (classes,):
        raise ShapeError(f"{op}: weight must have shape ({classes},), got {weight.data.shape} (x.shape={x.data.shape})")
    return weight.data
