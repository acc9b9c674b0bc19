"""ops.sqrt: the square root."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import activation
from ..threads import get_num_threads
from .operands import float_tensor


def sqrt(x) -> Tensor:
    """Return the square root of x; NaN below 0, without a warning. The result is saved: dx = dy / (2 y)."""
    x = float_tensor("sqrt", "x", x)
    y, saved = _forward(x.data)
    return record("sqrt", (x,), y, _backward, saved)


def _forward(x):
    y = activation.plain_forward(x, "sqrt", threads=get_num_threads())
    return y, y


def _backward(dy, saved, case, needs):
    return (activation.plain_backward(dy, saved, "sqrt", threads=get_num_threads()),)
