"""ops.relu: max(x, 0). Kernels: relu_forward, relu_backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..kernels import select as kernels
from .operands import float_tensor


def relu(x) -> Tensor:
    """Return max(x, 0) of any shape; NaN stays NaN. The result is saved, not x.

    Examples
    --------
    >>> import fastcnn.nn.functional as F
    >>> F.relu([-1.0, 0.0, 2.0])
    tensor([0., 0., 2.])
    """
    x = float_tensor("relu", "x", x)
    y, saved = _forward(x.data)
    return record("relu", (x,), y, _backward, saved)


def _forward(x):
    y = kernels.relu_forward(x)
    return y, y


def _backward(dy, saved, case, needs):
    return (kernels.relu_backward(dy, saved),)
