"""ops.abs: the absolute value."""

from __future__ import annotations

import numpy as np

from ..autograd import FLOATS, Tensor, record
from ..kernels import activation, entry
from ..threads import get_num_threads
from .operands import as_tensor


def abs(x) -> Tensor:
    """Return |x| of any shape; its gradient is zero at 0. x is saved."""
    x = as_tensor("abs", "x", x)
    y, saved = _forward(x.data)
    return record("abs", (x,), y, _backward, saved)


def _forward(x):
    if x.dtype not in FLOATS:
        entry.refuse("abs of integers")
        return np.abs(x), x
    return activation.plain_forward(x, "abs", threads=get_num_threads()), x


def _backward(dy, saved, case, needs):
    return (activation.plain_backward(dy, saved, "abs", threads=get_num_threads()),)
