"""ops.log_softmax: x - log(sum(exp(x))) along an axis. Kernels: softmax_forward, softmax_backward."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .operands import axis, axis_rows, float_tensor, from_axis_rows


def log_softmax(x, dim=-1) -> Tensor:
    """Return the logarithm of `softmax(x, dim)` without leaving the range of the dtype; the result is saved."""
    x = float_tensor("log_softmax", "x", x)
    case = axis("log_softmax", "dim", dim, x.data.ndim)
    y, saved = _forward(x.data, case)
    return record("log_softmax", (x,), y, _backward, saved, case)


def _forward(x, case):
    y = np.zeros_like(x) if x.ndim == 0 else from_axis_rows(kernels.softmax_forward(axis_rows(x, case), True), x.shape, case)
    return y, y


def _backward(dy, saved, case, needs):
    if dy.ndim == 0:
        return (np.zeros_like(dy),)
    dx = kernels.softmax_backward(axis_rows(dy, case), axis_rows(saved, case), True)
    return (from_axis_rows(dx, dy.shape, case),)
