"""ops.gelu: x times the normal distribution function. Papers: [Hendrycks2016]. Kernels: activation_forward, ..._backward."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ArgumentError
from ..kernels import select as kernels
from .operands import float_tensor


def gelu(x, approximate="none") -> Tensor:
    """Return x P(X < x) for standard normal X, of any shape; x is saved. [Hendrycks2016]

    Parameters
    ----------
    x : Tensor or array_like
        float32 or float64.
    approximate : {"none", "tanh"}
        "tanh": x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, about twice as fast.
    """
    x = float_tensor("gelu", "x", x)
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    case = "gelu" if approximate == "none" else "gelu_tanh"
    y, saved = _forward(x.data, case)
    return record("gelu", (x,), y, _backward, saved, case)


def _forward(x, case):
    y = kernels.activation_forward(x, case)
    return y, x


def _backward(dy, saved, case, needs):
    return (kernels.activation_backward(dy, saved, case),)
