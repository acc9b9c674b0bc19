"""ops.permute: the axes in another order."""

from __future__ import annotations

from ..autograd import Tensor, record
from ..errors import ArgumentError
from .operands import as_tensor, axis


def permute(x, dims) -> Tensor:
    """Return x with its axes in the order `dims`; shares memory."""
    x = as_tensor("permute", "x", x)
    if not isinstance(dims, (tuple, list)):
        raise ArgumentError(f"permute: dims must be a tuple of ints, got {dims!r}")
    case = tuple(axis("permute", "dims", d, x.data.ndim) for d in dims)
    if sorted(case) != list(range(x.data.ndim)):
        raise ArgumentError(f"permute: dims must name each axis once, got {tuple(dims)} (x.shape={x.data.shape})")
    y, saved = _forward(x.data, case)
    return record("permute", (x,), y, _backward, saved, case)


def _forward(x, case):
    return x.transpose(case), None


def _backward(dy, saved, case, needs):
    return (dy.transpose([case.index(i) for i in range(len(case))]),)
