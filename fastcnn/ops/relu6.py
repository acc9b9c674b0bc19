"""ops.relu6: x limited to [0, 6]. Papers: [Sandler2018]. Kernels: activation_forward, activation_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .operands import float_tensor


def relu6(x) -> Tensor:
    """Return x limited to [0, 6]; x is saved. NaN stays NaN. [Sandler2018]

    The gradient passes where 0 < x < 6; that of `clamp(x, 0, 6)` passes at 0 and 6 too.
    """
    x = float_tensor("relu6", "x", x)
    y, saved = _forward(x.data)
    return record("relu6", (x,), y, _backward, saved)


def _forward(x):
    y = kernels.activation_forward(x, "relu6")
    return y, x


def _backward(dy, saved, case, needs):
    return (kernels.activation_backward(dy, saved, "relu6"),)
