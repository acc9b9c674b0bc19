"""ops.exp: the exponential function."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import activation
from ..threads import get_num_threads
from .operands import float_tensor


def exp(x) -> Tensor:
    """Return e ** x; the result is saved. Overflow gives Inf without a warning."""
    x = float_tensor("exp", "x", x)
    y, saved = _forward(x.data)
    return record("exp", (x,), y, _backward, saved)


def _forward(x):
    y = activation.plain_forward(x, "exp", threads=get_num_threads())
    return y, y


def _backward(dy, saved, case, needs):
    return (activation.plain_backward(dy, saved, "exp", threads=get_num_threads()),)
