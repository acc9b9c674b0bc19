"""ops.log: the natural logarithm."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import activation
from ..threads import get_num_threads
from .operands import float_tensor


def log(x) -> Tensor:
    """Return the natural logarithm of x; -Inf at 0 and NaN below, without a warning."""
    x = float_tensor("log", "x", x)
    y, saved = _forward(x.data)
    return record("log", (x,), y, _backward, saved)


def _forward(x):
    y = activation.plain_forward(x, "log", threads=get_num_threads())
    return y, x


def _backward(dy, saved, case, needs):
    return (activation.plain_backward(dy, saved, "log", threads=get_num_threads()),)
