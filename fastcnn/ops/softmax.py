"""ops.softmax: exp(x) / sum(exp(x)) along an axis. Kernels: softmax_forward, softmax_backward."""

from __future__ import annotations

import numpy as np

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .operands import axis, axis_rows, float_tensor, from_axis_rows


def softmax(x, dim=-1) -> Tensor:
    """Return exp(x) / sum(exp(x)) along the axis `dim`; the result is saved. The largest x is subtracted first."""
    x = float_tensor("softmax", "x", x)
    case = axis("softmax", "dim", dim, x.data.ndim)
    y, saved = _forward(x.data, case)
    return record("softmax", (x,), y, _backward, saved, case)


def _forward(x, case):
    y = np.ones_like(x) if x.ndim == 0 else from_axis_rows(kernels.softmax_forward(axis_rows(x, case)), x.shape, case)
    return y, y


def _backward(dy, saved, case, needs):
    if dy.ndim == 0:
        return (np.zeros_like(dy),)
    dx = kernels.softmax_backward(axis_rows(dy, case), axis_rows(saved, case))
    return (from_axis_rows(dx, dy.shape, case),)
